/** Ids of the snapshots that a record has in its targets, copies included; `targets`: the column of that name. */
export const snapshotsIn = (targets: string): string[] =>
  [...targets.matchAll(/snapshots\/([0-9a-f]{64})/g)].map(([, id = '']) => id);
