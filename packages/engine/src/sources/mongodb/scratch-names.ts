/** Names of what a restore makes beside its targets, in the very database it restores. */
import { randomBytes } from 'node:crypto';

/**
 * - `backupx_new_<id>_<name>`: a collection while it is loaded and proven;
 * - `backupx_old_<id>_<name>`: what it replaces, until all are in place;
 * - `backupx_journal_<id>`: what the restore has done.
 */
export const OWN_COLLECTION = /^backupx_(?:(?:new|old)_([0-9a-f]{8})_|journal_([0-9a-f]{8})$)/;

/** The names above. */
export class ScratchNames {
  readonly id: string;

  constructor(id: string = randomBytes(4).toString('hex')) {
    this.id = id;
  }

  get journal(): string {
    return `backupx_journal_${this.id}`;
  }

  /** Of a new collection, or (with an empty name) what all of them begin with. */
  fresh(name: string): string {
    return `backupx_new_${this.id}_${name}`;
  }

  old(name: string): string {
    return `backupx_old_${this.id}_${name}`;
  }
}
