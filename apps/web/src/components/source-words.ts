import type { Task } from '../api/types.ts';
import { t } from '../i18n/i18n.ts';

/** What a task backs up, in one line: its folders, or its server and databases. */
export function sourceWords(task: Pick<Task, 'sourcePaths' | 'dbHost' | 'dbName' | 'dbPath' | 'type'>): string {
  if (task.sourcePaths.length > 0) return task.sourcePaths.join(', ');
  if (task.dbPath !== '') return task.dbPath.replaceAll('\n', ', ');
  const names = task.dbName.replaceAll('\n', ', ') || t('source.all');
  return task.dbHost === '' ? task.type : `${task.dbHost}: ${names}`;
}
