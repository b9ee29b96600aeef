import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findCgroupHost } from './cgroup-host.js';

/** A tree of folders and files as the kernel shows control groups; it keeps what is written, and does nothing with it. */
describe('finding control groups', () => {
  let mount: string;
  let own: string;
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), 'cgroups-'));
    own = join(mount, 'own');
  });
  afterEach(() => rmSync(mount, { recursive: true }));

  const group = (path: string, files: Record<string, string> = {}): string => {
    mkdirSync(join(mount, path), { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(mount, path, name), content);
    return resolve(mount, path);
  };
  const find = (lines: string[], joinable = true): ReturnType<typeof findCgroupHost> => {
    writeFileSync(own, lines.join('\n'));
    return findCgroupHost(mount, own, () => joinable);
  };

  it('takes each controller of version 1 where this process is', () => {
    const pids = group('pids');
    const memory = group('memory/service');
    expect(find(['8:pids:/', '4:cpu,memory:/elsewhere', '5:memory:/service', '0::/'])).toEqual({
      pids: { folder: pids, version: 1 },
      memory: null,
    });
    expect(find(['8:pids:/', '5:memory:/service'])).toMatchObject({ memory: { folder: memory, version: 1 } });
  });

  it('takes a group of version 2 that hands controllers on: its own, or the one above', () => {
    const root = group('.', { 'cgroup.subtree_control': 'cpu memory pids\n' });
    expect(find(['0::/'])).toEqual({
      pids: { folder: root, version: 2 },
      memory: { folder: root, version: 2 },
    });
    const service = group('service', { 'cgroup.subtree_control': 'pids\n' });
    group('service/worker', { 'cgroup.subtree_control': '' });
    expect(find(['0::/service/worker'])).toEqual({ pids: { folder: service, version: 2 }, memory: null });
  });

  it('has the group above hand on what it was given, when that is empty and no slice of systemd’s', () => {
    const files = { 'cgroup.subtree_control': '', 'cgroup.controllers': 'cpu memory pids\n', 'cgroup.procs': '' };
    const unit = group('unit.service', files);
    const slice = group('some.slice', files);
    group('unit.service/worker');
    group('some.slice/worker');
    find(['0::/unit.service/worker']);
    find(['0::/some.slice/worker']);
    expect(readFileSync(join(unit, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids');
    expect(readFileSync(join(slice, 'cgroup.subtree_control'), 'utf8')).toBe('');
  });

  it('moves down in a group of version 2 that it has for itself, and divides that', () => {
    const service = group('service', {
      'cgroup.subtree_control': '',
      'cgroup.controllers': 'cpu memory pids\n',
      'cgroup.procs': `${process.pid}\n`,
    });
    // The kernel would turn what is written into names without signs.
    find(['0::/service']);
    expect(readFileSync(join(service, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids');
    expect(readFileSync(join(service, 'runledger-worker/cgroup.procs'), 'utf8')).toBe(String(process.pid));
  });

  it('leaves a group alone that others are in', () => {
    const files = {
      'cgroup.controllers': 'memory pids\n',
      'cgroup.procs': `1\n${process.pid}\n`,
      'cgroup.subtree_control': '',
    };
    const session = group('session', files);
    expect(find(['0::/session'])).toEqual({ pids: null, memory: null });
    expect(existsSync(join(session, 'runledger-worker'))).toBe(false);
  });

  it('takes none that no process can be put into', () => {
    group('.', { 'cgroup.subtree_control': 'memory pids\n' });
    expect(find(['0::/'], false)).toEqual({ pids: null, memory: null });
  });
});
