/** Which jobs may wait. Apart from the shapes of the jobs, so that a thread need not load those to know it. */
import type { JobKind } from './jobs.ts';

/** Quick questions never wait behind long work. */
export type Lane = 'work' | 'control';
export const jobLanes: Readonly<Record<JobKind, Lane>> = {
  run_backup: 'work',
  run_restore: 'work',
  verify_artifact: 'work',
  inspect_source: 'control',
  inspect_target: 'control',
  list_directory: 'control',
  browse_artifact: 'control',
  delete_objects: 'control',
  test_storage: 'control',
  init_repository: 'work',
  list_snapshots: 'control',
  find_in_repository: 'work',
  diff_snapshots: 'work',
  forget_snapshots: 'work',
  prune_repository: 'work',
  check_repository: 'work',
  repair_repository: 'work',
  copy_snapshots: 'work',
  unlock_repository: 'control',
  repository_keys: 'work',
};
