/** Proves that a dump can be restored: read through and compared; `deep` also loads it into a scratch server. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@backupx/contracts/errors';
import { missingObjects, parseInventory } from '../../ports/database-inventory.ts';
import { readText } from '../../ports/entry-content.ts';
import { findTool } from '../../ports/find-tool.ts';
import { isSuccess, runTool } from '../../ports/processes.ts';
import { SecretFolder } from '../../ports/secret-folder.ts';
import type { RestoreEntry, Verifier, VerifyContext } from '../../ports/source.ts';
import { compareCounts } from './compare-counts.ts';
import { DUMP_PATH, INVENTORY_PATH, pathOfEntry } from './entry-paths.ts';
import { objectsOf } from './key-counts.ts';
import { RdbError } from './rdb-parser.ts';
import { RdbScanner, type RdbSummary } from './rdb-scanner.ts';
import { findServerProgram, ScratchServer } from './scratch-server.ts';
import { readFacts } from './server-facts.ts';

type Checks = Awaited<ReturnType<Verifier['finish']>>;
type Check = Checks[number];

const CHECK_TOOL_MS = 3_600_000;

/** See above. Throws DATABASE_TOOL_MISSING for `deep` where redis-server is not installed. */
export function openRedisVerifier(context: VerifyContext): Verifier {
  if (context.depth === 'deep') findServerProgram();
  return new RedisVerifier(context);
}

class RedisVerifier implements Verifier {
  readonly #context: VerifyContext;
  readonly #folder: SecretFolder;
  readonly #checks: Check[] = [];
  #summary: RdbSummary | null = null;
  #hasDump = false;

  constructor(context: VerifyContext) {
    this.#context = context;
    this.#folder = new SecretFolder(context.tempDir);
  }

  async write(entry: RestoreEntry): Promise<void> {
    const path = pathOfEntry(entry.path);
    if (path === DUMP_PATH) await this.#readDump(entry);
    if (path === INVENTORY_PATH) await this.#compare(entry);
  }

  async finish(): Promise<Checks> {
    if (!this.#hasDump) this.#add('structure', false, 'there is no dump');
    if (this.#summary && this.#context.depth === 'deep') await this.#load(this.#summary);
    return this.#checks;
  }

  async close(): Promise<void> {
    this.#folder.remove();
  }

  #add(name: Check['name'], ok: boolean, detail: string): void {
    this.#checks.push({ subject: DUMP_PATH, name, ok, detail });
  }

  get #dumpPath(): string {
    return join(this.#folder.path, 'dump.rdb');
  }

  async #readDump(entry: RestoreEntry): Promise<void> {
    this.#hasDump = true;
    const isDeep = this.#context.depth === 'deep';
    const fd = isDeep ? openSync(this.#dumpPath, 'wx', 0o600) : -1;
    const scanner = new RdbScanner();
    try {
      for await (const chunk of entry.content ?? []) {
        this.#context.signal.throwIfAborted();
        scanner.push(chunk);
        if (isDeep) for (let done = 0; done < chunk.byteLength; ) done += writeSync(fd, chunk, done);
      }
      const summary = scanner.finish();
      this.#summary = summary;
      this.#add('structure', true, summary.hasChecksum ? 'whole, its checksum is right' : 'whole, without a checksum');
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      this.#add('structure', false, error.message);
    } finally {
      if (fd >= 0) closeSync(fd);
    }
  }

  async #compare(entry: RestoreEntry): Promise<void> {
    const { objects } = parseInventory(entry.content ? await readText(entry.content) : '');
    if (!this.#summary?.keys) return;
    const missing = missingObjects(objects, objectsOf(this.#summary));
    this.#add('inventory', missing.length === 0, missing.join('; ') || `${objects.length} database(s)`);
  }

  async #load(summary: RdbSummary): Promise<void> {
    const { signal } = this.#context;
    await this.#runCheckTool();
    const highest = Math.max(15, ...(summary.keys?.keys() ?? []));
    const options = { dumpPath: this.#dumpPath, databases: highest + 1, name: DUMP_PATH, signal };
    try {
      const server = await ScratchServer.start(options);
      try {
        const connection = await server.connect();
        const facts = await readFacts(connection);
        connection.close();
        this.#add('restore', true, `loaded by ${facts.server}`);
        const differences = compareCounts(summary, facts.keys ?? new Map());
        this.#add('rows', differences.length === 0, differences.join('; ') || 'every database has its keys');
      } finally {
        await server.stop();
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'DATABASE_DUMP_DAMAGED') throw error;
      this.#add('restore', false, error.message);
    }
  }

  /** Part of the server's package; some build without it. */
  async #runCheckTool(): Promise<void> {
    const program = findTool(['redis-check-rdb', 'valkey-check-rdb']);
    if (program === null) return;
    const options = { signal: this.#context.signal, timeoutMs: CHECK_TOOL_MS };
    const end = await runTool({ program, args: [this.#dumpPath] }, options);
    const lines = end.text.split('\n').filter((line) => line.trim() !== '');
    this.#add('engine', isSuccess(end), isSuccess(end) ? 'redis-check-rdb finds it good' : lines.slice(-3).join(' / '));
  }
}
