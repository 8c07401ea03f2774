/** What the entries of a physical backup are, by their paths. */
import { AppError } from '@backupx/contracts/errors';
import { type DatabaseInventory, parseInventory } from '../../../ports/database-inventory.ts';
import { counted, readText } from '../../../ports/entry-content.ts';
import type { RestoreEntry } from '../../../ports/source.ts';
import { FileList } from './file-list.ts';

/** Takes the entries apart: files to who writes them, lists to itself. */
export class CopyEntries {
  readonly found = new FileList();
  listed: FileList | null = null;
  inventory: DatabaseInventory | null = null;
  bytes = 0;

  /** `file` must read the content to its end. */
  async take(
    entry: RestoreEntry,
    file: (path: string, content: AsyncIterable<Uint8Array>) => Promise<unknown>,
  ): Promise<void> {
    const path = Buffer.from(entry.path)
      .toString('utf8')
      .replace(/^\/*mysql-physical\//, '');
    if (!entry.content) return;
    if (path.startsWith('data/')) {
      const onBytes = (count: number) => {
        this.bytes += count;
      };
      const name = path.slice('data/'.length);
      await file(name, counted(this.found.note(name, entry.content), onBytes));
    } else if (path === 'files.txt') this.listed = FileList.parse(await readText(entry.content));
    else if (path === 'inventory.json') this.inventory = parseInventory(await readText(entry.content));
    else throw new AppError('ARTIFACT_DAMAGED', { reason: `${path} is no part of such a backup` });
  }

  /** What is not as it was when the backup was made. */
  differences(): string[] {
    if (!this.listed) return ['the list of its files (files.txt) is missing'];
    return this.listed.differences(this.found);
  }
}
