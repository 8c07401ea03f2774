/** The table of pages: router, menu and command palette all read this and nothing else. */
import type { ComponentType } from 'react';
import type { Role } from './api/types.ts';
import { paths } from './components/paths.ts';
import type { MessageKey } from './i18n/i18n.ts';
import type { IconName } from './ui/Icon.tsx';

type Page = () => Promise<{ default: ComponentType }>;

export interface RouteEntry {
  /** TanStack Router path; `$id` is a number. */
  readonly path: string;
  readonly role: Role;
  readonly page: Page;
  readonly icon?: IconName;
  /** Has a place in the menu. */
  readonly menu?: MessageKey;
  /** Has a place in the command palette under this name (the menu's name when missing). */
  readonly command?: MessageKey;
}

const overview: Page = () => import('./pages/overview/OverviewPage.tsx');
const tasks: Page = () => import('./pages/tasks/TasksPage.tsx');
const taskForm: Page = () => import('./pages/tasks/TaskFormPage.tsx');
const task: Page = () => import('./pages/tasks/TaskPage.tsx');
const activity: Page = () => import('./pages/activity/ActivityPage.tsx');
const record: Page = () => import('./pages/activity/RecordPage.tsx');
const restoreRecord: Page = () => import('./pages/activity/RestoreRecordPage.tsx');
const maintenance: Page = () => import('./pages/activity/MaintenanceRecordPage.tsx');
const verification: Page = () => import('./pages/activity/VerificationPage.tsx');
const restore: Page = () => import('./pages/restore/RestorePage.tsx');
const restoreTask: Page = () => import('./pages/restore/RestoreTaskPage.tsx');
const restoreFrom: Page = () => import('./pages/restore/RestoreFromPage.tsx');
const servers: Page = () => import('./pages/servers/ServersPage.tsx');
const addServer: Page = () => import('./pages/servers/AddServerPage.tsx');
const storage: Page = () => import('./pages/storage/StoragePage.tsx');
const storageForm: Page = () => import('./pages/storage/StorageFormPage.tsx');
const repositories: Page = () => import('./pages/repositories/RepositoriesPage.tsx');
const addRepository: Page = () => import('./pages/repositories/AddRepositoryPage.tsx');
const repository: Page = () => import('./pages/repositories/RepositoryPage.tsx');
const snapshot: Page = () => import('./pages/repositories/SnapshotPage.tsx');
const settings: Page = () => import('./pages/settings/SettingsPage.tsx');

export const routes: readonly RouteEntry[] = [
  { path: paths.overview, role: 'viewer', page: overview, icon: 'overview', menu: 'nav.overview' },
  { path: paths.tasks, role: 'viewer', page: tasks, icon: 'tasks', menu: 'nav.tasks' },
  { path: paths.newTask, role: 'operator', page: taskForm, icon: 'plus', command: 'shortcut.newTask' },
  { path: '/tasks/$id', role: 'viewer', page: task },
  { path: '/tasks/$id/edit', role: 'operator', page: taskForm },
  { path: paths.activity, role: 'viewer', page: activity, icon: 'activity', menu: 'nav.activity' },
  { path: '/activity/$tab', role: 'viewer', page: activity },
  { path: '/activity/backups/$id', role: 'viewer', page: record },
  { path: '/activity/restores/$id', role: 'viewer', page: restoreRecord },
  { path: '/activity/verifications/$id', role: 'viewer', page: verification },
  { path: '/activity/maintenance/$id', role: 'viewer', page: maintenance },
  { path: paths.restore, role: 'viewer', page: restore, icon: 'restore', menu: 'nav.restore' },
  { path: '/restore/$taskId', role: 'viewer', page: restoreTask },
  { path: '/restore/$taskId/$recordId', role: 'viewer', page: restoreFrom },
  { path: paths.servers, role: 'viewer', page: servers, icon: 'servers', menu: 'nav.servers' },
  { path: paths.newServer, role: 'admin', page: addServer, icon: 'plus', command: 'servers.add' },
  { path: paths.storage, role: 'viewer', page: storage, icon: 'storage', menu: 'nav.storage' },
  { path: paths.newStorage, role: 'operator', page: storageForm, icon: 'plus', command: 'storage.add' },
  { path: '/storage/$id', role: 'operator', page: storageForm },
  {
    path: paths.repositories,
    role: 'viewer',
    page: repositories,
    icon: 'storage',
    command: 'repository.repositories',
  },
  { path: paths.newRepository, role: 'operator', page: addRepository, icon: 'plus', command: 'repository.add' },
  { path: '/storage/repositories/$id', role: 'viewer', page: repository },
  { path: '/storage/repositories/$id/$tab', role: 'viewer', page: repository },
  { path: '/storage/repositories/$id/snapshots/$snapshotId', role: 'viewer', page: snapshot },
  { path: paths.settings, role: 'viewer', page: settings, icon: 'settings', menu: 'nav.settings' },
  { path: '/settings/$tab', role: 'viewer', page: settings },
];
