import { describe, expect, it } from 'vitest';
import { type ArtifactCopy, isReachableFromMaster, targetForReader, targetForWriter } from './locate-artifact.ts';

const disk = (masterRelay: boolean) => ({
  id: 1,
  name: 'disk',
  type: 'local_disk',
  enabled: true,
  config: { basePath: '/b', masterRelay },
});
const bucket = { id: 2, name: 's3', type: 's3', enabled: true, config: {} };
const copy = (more: Partial<ArtifactCopy>): ArtifactCopy => ({
  target: disk(false),
  storagePath: 'x',
  viaMaster: undefined,
  writtenByLocalNode: false,
  writerNodeId: 7,
  ...more,
});
const master = { id: 1, isLocal: true };
const writer = { id: 7, isLocal: false };
const other = { id: 8, isLocal: false };

describe('where an artifact lies', () => {
  it('is an object storage for everybody', () => {
    for (const reader of [master, writer, other])
      expect(targetForReader(copy({ target: bucket }), reader)).toMatchObject({ viaMaster: false });
  });

  it("is the agent's own disk for that agent alone", () => {
    expect(targetForReader(copy({}), writer)).toMatchObject({ viaMaster: false });
    expect(targetForReader(copy({}), master)).toBeNull();
    expect(targetForReader(copy({}), other)).toBeNull();
  });

  it('is the disk of the master when it was relayed, also after the target was changed', () => {
    for (const masterRelay of [true, false]) {
      const relayed = copy({ target: disk(masterRelay), viaMaster: true });
      expect(isReachableFromMaster(relayed)).toBe(true);
      expect(targetForReader(relayed, master)).toMatchObject({ viaMaster: false });
      expect(targetForReader(relayed, other)).toMatchObject({ viaMaster: true });
    }
    expect(isReachableFromMaster(copy({ target: disk(true), viaMaster: false }))).toBe(false);
  });

  it("follows the target's settings when the writer did not tell", () => {
    expect(isReachableFromMaster(copy({ target: disk(true) }))).toBe(true);
    expect(isReachableFromMaster(copy({ target: disk(false) }))).toBe(false);
  });

  it('sends a relayed backup through the master from agents only', () => {
    expect(targetForWriter(disk(true), false)).toMatchObject({ viaMaster: true });
    expect(targetForWriter(disk(true), true)).toMatchObject({ viaMaster: false });
  });
});
