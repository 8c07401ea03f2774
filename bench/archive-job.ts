/** One archive backup or restore in a process of its own, as the benchmark measures it; prints its peak memory as JSON. */
import { enableCompileCache } from 'node:module';

// As the program itself does.
enableCompileCache();
const { createEngine } = await import('@backupx/engine');
const { silentReporter } = await import('@backupx/engine/ports/reporter');

const [mode = '', source = '', store = '', encryption = '', artifactJson = '{}'] = process.argv.slice(2);
const engine = createEngine({ tempDir: `${store}/tmp` });
const key = encryption === 'plain' ? null : (JSON.parse(encryption) as { identity: string; recipient: string });
const target = {
  id: 1,
  name: 'bench',
  type: 'local_disk',
  config: { basePath: `${store}/store`, masterRelay: false },
  viaMaster: false,
};
const options = { reporter: silentReporter, signal: new AbortController().signal };
const sourceSettings = { type: 'file', config: { paths: [source], excludePatterns: [], oneFileSystem: false } };

async function backup(): Promise<unknown> {
  return engine.run(
    {
      kind: 'run_backup',
      taskId: 1,
      recordId: 1,
      taskName: 'bench',
      source: sourceSettings,
      targets: [target],
      compression: 'zstd',
      encryption: key ? { recipients: [key.recipient] } : null,
      keyPrefix: 'bench/r1',
      baseName: 'bench',
      bandwidthBytesPerSecond: 0,
    },
    options,
  );
}

async function restore(): Promise<unknown> {
  const artifact = JSON.parse(artifactJson) as {
    storagePath: string;
    contentsPath: string;
    fileName: string;
    checksum: string;
    fileSize: number;
  };
  return engine.run(
    {
      kind: 'run_restore',
      restoreRecordId: 1,
      recordId: 1,
      taskName: 'bench',
      source: sourceSettings,
      artifact: { target, ...artifact, encryption: key ? { identities: [key.identity] } : null },
      targetPath: process.argv[7] ?? '',
      paths: null,
      overwrite: 'never',
    },
    options,
  );
}

const result =
  mode === 'key' ? await engine.createEncryptionKey() : mode === 'backup' ? await backup() : await restore();
console.log(JSON.stringify({ result, peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1024) }));
await engine.close(5000);
