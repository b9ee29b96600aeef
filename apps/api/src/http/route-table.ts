import type { FastifyInstance } from 'fastify';

/** Remembers every route that is registered, to tell a wrong method from a wrong path. Asked only when nothing matched. */
export class RouteTable {
  private readonly routes = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', ({ url, method }) => {
      const known = this.routes.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
      this.routes.set(url, known);
      for (const name of [method].flat()) known.methods.add(name);
    });
  }

  /** The methods of this path in the order of the alphabet; none when there is no such path. */
  methodsOf(path: string): string[] {
    const found = [...this.routes.values()]
      .filter((route) => route.pattern.test(path))
      .flatMap((route) => [...route.methods]);
    return [...new Set(found)].sort();
  }
}

function patternOf(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/:[A-Za-z]\w*/g, '[^/]+').replaceAll('*', '.*')}$`);
}
