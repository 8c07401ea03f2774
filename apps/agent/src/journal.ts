/**
 * What this agent has accepted and not yet been thanked for, one small file per command.
 *
 * A file is written (temporary name, fsync, rename, fsync of the folder) before the command starts and again before its
 * result is sent, and removed when the master has acknowledged the result. So after a kill at any moment the next start
 * knows what was running and what was finished but unreported. Secrets never lie here: payloads of commands that carry
 * any are not journaled.
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { commandResultBodySchema } from '@backupx/contracts/agent-protocol';
import { idSchema } from '@backupx/contracts/define-route';
import { z } from 'zod';

/** What a run writes its progress to. */
export const runOwnerSchema = z.object({ kind: z.enum(['record', 'restore', 'maintenance', 'verify']), id: idSchema });
export type RunOwner = z.output<typeof runOwnerSchema>;

/** A plain union would let the first shape that fits drop the fields of the others; `kind` of the owner decides. */
const closingUpdateSchema = z.looseObject({ status: z.enum(['', 'running', 'success', 'failed']).optional() });

const journalEntrySchema = z.object({
  commandId: idSchema,
  type: z.enum(['run_task', 'restore_record', 'run_maintenance', 'run_verification']),
  payload: z.record(z.string(), z.number()),
  owner: runOwnerSchema,
  state: z.enum(['accepted', 'running', 'finished']),
  /** Counts process starts that found this entry; keeps log sequence numbers apart. */
  restarts: z.number().int().default(0),
  /** Set when finished: the closing update of the record, then the result of the command. */
  update: closingUpdateSchema.optional(),
  result: commandResultBodySchema.optional(),
});
export type JournalEntry = z.output<typeof journalEntrySchema>;
export type FinishedEntry = JournalEntry & Required<Pick<JournalEntry, 'update' | 'result'>>;

export interface Journal {
  /** Durable when it returns. Throws when the disk refuses. */
  write(entry: JournalEntry): void;
  remove(commandId: number): void;
  /** Entries of this and earlier lives, oldest command first; damaged files are set aside, never fatal. */
  readAll(): JournalEntry[];
}

export function openJournal(dir: string): Journal {
  const fileOf = (commandId: number) => join(dir, `${commandId}.json`);
  return {
    write(entry) {
      const path = fileOf(entry.commandId);
      const temporary = `${path}.tmp`;
      const file = openSync(temporary, 'w', 0o600);
      try {
        writeSync(file, JSON.stringify(entry));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
      syncFolder(dir);
    },
    remove(commandId) {
      rmSync(fileOf(commandId), { force: true });
    },
    readAll() {
      const names = readdirSync(dir).filter((name) => /^\d+\.json$/.test(name));
      const entries = names.map((name) => readEntry(join(dir, name))).filter((entry) => entry !== null);
      return entries.sort((a, b) => a.commandId - b.commandId);
    },
  };
}

/** True when the entry can be delivered. */
export function isFinished(entry: JournalEntry): entry is FinishedEntry {
  return entry.state === 'finished' && entry.update !== undefined && entry.result !== undefined;
}

function readEntry(path: string): JournalEntry | null {
  try {
    return journalEntrySchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    renameSync(path, `${path}.damaged`);
    return null;
  }
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
