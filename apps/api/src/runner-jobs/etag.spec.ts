import { versionTag, versionsOf } from './etag.js';

describe('If-Match', () => {
  it('names versions, or any', () => {
    expect(versionsOf(undefined)).toBeNull();
    expect(versionsOf(' * ')).toBeNull();
    expect(versionsOf(versionTag(7))).toEqual([7]);
    expect(versionsOf('"1", "22"')).toEqual([1, 22]);
  });

  it('matches nothing with tags that are not ours', () => {
    for (const header of ['W/"7"', '7', '""', '"x"', '"99999999999"', '']) expect(versionsOf(header)).toEqual([]);
  });
});
