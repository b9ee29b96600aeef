import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { QueueProducer } from '#queue';
import { JobCounts } from '#runner';
import { OpenStreams } from '../streams/open-streams.js';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What Prometheus reads. A registry of its own, so that two applications in one process do not mix. */
@Injectable()
export class Metrics implements OnApplicationShutdown {
  private readonly registry = new Registry();
  private readonly requests = new Histogram({
    name: 'runledger_http_request_duration_seconds',
    help: 'Time from a request to the end of its answer, by route template.',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS,
    registers: [this.registry],
  });

  constructor(jobs: JobCounts, queue: QueueProducer, streams: OpenStreams) {
    collectDefaultMetrics({ register: this.registry });
    const registers = [this.registry];
    new Gauge({
      name: 'runledger_jobs',
      help: 'Jobs that are not over, by status.',
      labelNames: ['status'],
      registers,
      async collect() {
        this.reset();
        // A scrape tells what it can: what cannot be asked at present is absent.
        const counts = await jobs.unfinished().catch(() => []);
        for (const { status, count } of counts) this.set({ status }, count);
      },
    });
    new Gauge({
      name: 'runledger_queue_messages',
      help: 'Messages on the queue, by state.',
      labelNames: ['queue', 'state'],
      registers,
      async collect() {
        this.reset();
        const depth = await queue.depth('runner').catch(() => null);
        for (const [state, count] of Object.entries(depth ?? {})) this.set({ queue: 'runner', state }, count);
      },
    });
    new Gauge({
      name: 'runledger_event_streams',
      help: 'Open event streams of this process.',
      registers,
      collect() {
        this.set(streams.count);
      },
    });
  }

  /** @param route the template, never the path: ids would make a series each */
  observeRequest(method: string, route: string, status: number, seconds: number): void {
    this.requests.observe({ method, route, status }, seconds);
  }

  async text(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  onApplicationShutdown(): void {
    this.registry.clear();
  }
}
