import fc from 'fast-check';
import type { JobRow } from '../store/job-rows.js';
import type { Tenant } from './candidate.js';
import { sharePlaces } from './share-places.js';

/** Only what sharing looks at. */
function tenant(workspaceId: string, active: number, waiting: number[], limit: number | null = null): Tenant {
  const candidates = waiting.map((priority, index) => ({
    row: { id: `${workspaceId}${index}`, workspace_id: workspaceId, priority } as JobRow,
    line: null,
  }));
  return { workspaceId, active: Array.from({ length: active }, () => 5), limit, candidates, hasMore: false };
}

function share(places: number, tenants: Tenant[]): { served: string[]; ranks: number[]; unserved: boolean } {
  const served: string[] = [];
  const ranks: number[] = [];
  const { unserved } = sharePlaces(places, tenants, ({ row }, rank) => {
    served.push(row.id);
    ranks.push(rank);
    return 'place';
  });
  return { served, ranks, unserved };
}

describe('sharePlaces', () => {
  it('serves the workspace with the fewest active jobs until it has as many as the next', () => {
    expect(share(5, [tenant('a', 3, [5, 5, 5]), tenant('b', 0, [5, 5, 5, 5, 5])]).served).toEqual([
      'b0',
      'b1',
      'b2',
      'a0',
      'b3',
    ]);
  });

  it('goes around among equals, in the order of the list', () => {
    expect(share(4, [tenant('b', 0, [5, 5]), tenant('a', 0, [5, 5]), tenant('c', 0, [5])]).served).toEqual([
      'b0',
      'a0',
      'c0',
      'b1',
    ]);
  });

  it('stops at the limit of a workspace and says that something is left', () => {
    expect(share(9, [tenant('a', 1, [5, 5, 5], 2), tenant('b', 0, [5])])).toMatchObject({
      served: ['b0', 'a0'],
      unserved: true,
    });
  });

  it('does not spend a place on a job that is put aside', () => {
    const taken: string[] = [];
    const sharing = sharePlaces(1, [tenant('a', 0, [5, 5, 5])], ({ row }) => {
      taken.push(row.id);
      return row.id === 'a1' ? 'place' : 'aside';
    });
    expect(taken).toEqual(['a0', 'a1']);
    expect(sharing).toMatchObject({ placesLeft: 0, unserved: true, lastServed: 'a' });
  });

  it('ranks a job by the active jobs of its own workspace that go before it', () => {
    const busy = { ...tenant('a', 0, [0, 5, 9]), active: [0, 5, 9, 9] };
    expect(share(3, [busy]).ranks).toEqual([1, 3, 6]);
  });

  it('never leaves a workspace behind by more than one job that could have had the place', () => {
    const tenants = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(tenants, fc.nat(60), (sizes, places) => {
        const all = sizes.map(([active, waiting], index) =>
          tenant(
            `w${index}-`,
            active,
            Array.from({ length: waiting }, () => 5),
          ),
        );
        const { served } = share(places, all);
        const got = (index: number): number => served.filter((id) => id.startsWith(`w${index}-`)).length;
        expect(served).toHaveLength(
          Math.min(
            places,
            sizes.reduce((sum, [, waiting]) => sum + waiting, 0),
          ),
        );
        for (const [index, [active, waiting]] of sizes.entries()) {
          if (got(index) === waiting) continue;
          for (const [other, [otherActive]] of sizes.entries())
            if (got(other) > 0) expect(otherActive + got(other)).toBeLessThanOrEqual(active + got(index) + 1);
        }
      }),
    );
  });
});
