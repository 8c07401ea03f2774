import { describe, expect, it } from 'vitest';
import { findFolderCycles, judgeImport } from './check-boundaries.ts';
import type { FileImport } from './import-graph.ts';

const edge = (from: string, to: string, more: Partial<FileImport> = {}): FileImport => ({
  from,
  to,
  isInternal: !/^(node:|zod|react)/.test(to),
  isTypeOnly: false,
  isDynamic: false,
  ...more,
});

describe('judgeImport', () => {
  it('lets a storage use its port and forbids its sibling', () => {
    const storage = 'packages/engine/src/storages/s3.ts';
    expect(judgeImport(edge(storage, 'packages/engine/src/ports/storage.ts'))).toBeNull();
    expect(judgeImport(edge(storage, 'packages/engine/src/storages/local-disk.ts'))).toContain('sibling');
  });

  it('keeps contracts free of everything but zod', () => {
    const contract = 'packages/contracts/src/errors.ts';
    expect(judgeImport(edge(contract, 'zod'))).toBeNull();
    expect(judgeImport(edge(contract, 'node:fs'))).toContain('may not use');
  });

  it('keeps features apart and the engine out of them', () => {
    const feature = 'apps/server/src/features/tasks/task.routes.ts';
    expect(judgeImport(edge(feature, 'apps/server/src/features/nodes/node.routes.ts'))).toContain('sibling');
    expect(judgeImport(edge(feature, 'packages/engine/src/jobs/run-backup.ts'))).toContain('may not import');
    expect(judgeImport(edge(feature, 'apps/server/src/dispatch/ports.ts'))).toBeNull();
  });

  it('lets the command line load the server lazily only', () => {
    const command = 'apps/cli/src/serve.ts';
    expect(judgeImport(edge(command, 'apps/server/src/main.ts'))).toContain('may not import');
    expect(judgeImport(edge(command, 'apps/server/src/main.ts', { isDynamic: true }))).toBeNull();
  });

  it('forbids test code in production', () => {
    expect(judgeImport(edge('apps/agent/src/main.ts', 'packages/engine/src/testing/memory-storage.ts'))).toContain(
      'test code',
    );
  });
});

describe('findFolderCycles', () => {
  it('finds a circle through three folders and ignores type imports', () => {
    const circle = [edge('a/x.ts', 'b/y.ts'), edge('b/y.ts', 'c/z.ts'), edge('c/z.ts', 'a/x.ts')];
    expect(findFolderCycles(circle)).toHaveLength(1);
    expect(findFolderCycles([...circle.slice(0, 2), edge('c/z.ts', 'a/x.ts', { isTypeOnly: true })])).toEqual([]);
  });
});
