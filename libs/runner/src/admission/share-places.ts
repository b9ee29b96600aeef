import type { Candidate, Tenant } from './candidate.js';

/** What became of a candidate that was looked at: it took a place, it waits for something else, or it ends. */
export type Taken = 'place' | 'aside';

export interface Sharing {
  placesLeft: number;
  /** True when jobs that could run were left for want of a place, of the queue's or of their workspace's. */
  unserved: boolean;
  /** True when a workspace may have had more jobs for the places that are left. */
  exhausted: boolean;
  /** The workspace that got the last place. */
  lastServed: string | null;
}

/**
 * Gives each free place to the workspace that has the fewest active jobs (max-min fairness, as water fills a vessel), and within it to
 * the job of the best priority, the oldest first. Of equal workspaces the one that stands first in the list is served first.
 *
 * @param rank of a job in the queue: how many active jobs of its workspace go before it. So what a workspace has much of lines up behind
 *   what others have little of, and no workspace's priorities matter to another.
 */
export function sharePlaces(
  places: number,
  tenants: Tenant[],
  offer: (candidate: Candidate, rank: number) => Taken,
): Sharing {
  const sharing: Sharing = { placesLeft: places, unserved: false, exhausted: false, lastServed: null };
  const active = new Map(tenants.map((tenant) => [tenant, tenant.active.length]));
  const open = new Set(tenants.filter(({ candidates }) => candidates.length > 0));
  const next = new Map(tenants.map((tenant) => [tenant, 0]));
  while (open.size > 0) {
    const tenant = leastActive(open, active);
    const position = next.get(tenant) ?? 0;
    const candidate = tenant.candidates[position];
    const count = active.get(tenant) ?? 0;
    const full = sharing.placesLeft === 0 || (tenant.limit !== null && count >= tenant.limit);
    if (candidate === undefined || full) {
      if (candidate !== undefined) sharing.unserved = true;
      else if (tenant.hasMore) sharing.exhausted = true;
      open.delete(tenant);
      continue;
    }
    next.set(tenant, position + 1);
    const rank = tenant.active.filter((priority) => priority <= candidate.row.priority).length;
    if (offer(candidate, rank) === 'aside') continue;
    sharing.placesLeft -= 1;
    sharing.lastServed = tenant.workspaceId;
    active.set(tenant, count + 1);
    tenant.active.push(candidate.row.priority);
  }
  return sharing;
}

function leastActive(open: Set<Tenant>, active: Map<Tenant, number>): Tenant {
  let least: Tenant | undefined;
  for (const tenant of open)
    if (least === undefined || (active.get(tenant) ?? 0) < (active.get(least) ?? 0)) least = tenant;
  if (least === undefined) throw new Error('nobody is left to serve');
  return least;
}
