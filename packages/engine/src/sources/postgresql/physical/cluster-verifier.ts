/**
 * Proves that a physical backup can be restored. Quick: every file is held against the server's own list, and the WAL
 * that is needed is there. Deep: it is also restored, a server is started on it, and everything in it is read.
 */
import { AppError } from '@backupx/contracts/errors';
import type { VerifyCheck } from '@backupx/contracts/jobs';
import type { RestoreEntry, Verifier, VerifyContext } from '../../../ports/source.ts';
import { installedPrograms } from '../programs.ts';
import { hasServer } from '../scratch-server.ts';
import { type BackupManifest, endOf, formatLsn, listDifferences } from './backup-manifest.ts';
import { ClusterContent } from './cluster-content.ts';
import { ClusterTrial } from './cluster-trial.ts';
import { ROOT } from './entry-paths.ts';
import type { PhysicalConfig } from './settings.ts';

/** Throws DATABASE_TOOL_MISSING for `deep` where no server is installed. */
export async function openVerifier(config: PhysicalConfig, context: VerifyContext): Promise<Verifier> {
  if (context.depth !== 'deep') return new ClusterVerifier(null);
  const installed = await installedPrograms(config.toolFolder, context.signal);
  const servers = installed.filter(({ folder }) => hasServer(folder));
  if (servers.length === 0) throw new AppError('DATABASE_TOOL_MISSING', { tool: 'postgres', package: 'postgresql' });
  return new ClusterVerifier(await ClusterTrial.open(servers, context));
}

class ClusterVerifier implements Verifier {
  readonly #trial: ClusterTrial | null;
  readonly #content: ClusterContent;
  readonly #checks: VerifyCheck[] = [];

  constructor(trial: ClusterTrial | null) {
    this.#trial = trial;
    this.#content = new ClusterContent(trial);
    trial?.use(this.#content);
  }

  async write(entry: RestoreEntry): Promise<void> {
    await this.#content.take(entry);
  }

  async finish(): Promise<readonly VerifyCheck[]> {
    const isWhole = this.#checkFiles();
    if (isWhole && this.#trial) this.#checks.push(...(await this.#trial.run()));
    return this.#checks;
  }

  #checkFiles(): boolean {
    const { sums } = this.#content;
    let manifest: BackupManifest;
    try {
      manifest = this.#content.manifest();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#add('structure', false, error.message);
      return false;
    }
    this.#add('structure', true, `the list of ${manifest.files.size} files is whole`);
    const damage = this.#content.findDamage(manifest);
    const megabytes = Math.round(sums.totalBytes / 1e6);
    const good = `${sums.count} files with ${megabytes} MB are as the server listed them, with the WAL up to ${formatLsn(endOf(manifest))}`;
    this.#add('content', damage.length === 0, listDifferences(damage) || good);
    return damage.length === 0;
  }

  #add(name: VerifyCheck['name'], ok: boolean, detail: string): void {
    this.#checks.push({ subject: ROOT, name, ok, detail });
  }

  async close(): Promise<void> {
    await this.#trial?.close();
  }
}
