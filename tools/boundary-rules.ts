/**
 * The floor plan: which zone may import which. A file belongs to the first zone whose pattern matches; anything that
 * is not listed is forbidden. ARCHITECTURE.md draws the same table.
 */
export interface Zone {
  readonly name: string;
  readonly pattern: RegExp;
  /** Zones this one may import, besides itself. `*`: everything. */
  readonly mayImport: readonly string[];
  /** Files of one zone that must not see each other, although they share it (one driver, one feature). */
  readonly isolateBy?: RegExp;
  /** Outside packages this zone may use; absent: any. */
  readonly packages?: RegExp;
  /** Zones this one may reach by `import()` only. */
  readonly lazily?: readonly string[];
}

export const zones: readonly Zone[] = [
  { name: 'contracts', pattern: /^packages\/contracts\//, mayImport: [], packages: /^zod$/ },

  {
    name: 'engine/ports',
    pattern: /^packages\/engine\/src\/ports\//,
    mayImport: ['contracts'],
    packages: /^zod$|^node:/,
  },
  {
    name: 'engine/sources-list',
    pattern: /^packages\/engine\/src\/sources\/(index|by-type|readers)\.ts$/,
    mayImport: ['engine/ports', 'engine/sources'],
  },
  {
    name: 'engine/sources',
    pattern: /^packages\/engine\/src\/sources\//,
    mayImport: ['engine/ports', 'contracts'],
    isolateBy: /^packages\/engine\/src\/sources\/([^/]+)/,
  },
  {
    name: 'engine/storages-list',
    pattern: /^packages\/engine\/src\/storages\/(index|by-type)\.ts$/,
    mayImport: ['engine/ports', 'engine/storages'],
  },
  {
    name: 'engine/storage-decorators',
    pattern: /^packages\/engine\/src\/storages\/decorators\//,
    mayImport: ['engine/ports', 'contracts'],
  },
  {
    name: 'engine/storages',
    pattern: /^packages\/engine\/src\/storages\//,
    mayImport: ['engine/ports', 'contracts'],
    isolateBy: /^packages\/engine\/src\/storages\/([^/.]+)/,
  },
  { name: 'engine/archive', pattern: /^packages\/engine\/src\/archive\//, mayImport: ['engine/ports', 'contracts'] },
  {
    name: 'engine/repository',
    pattern: /^packages\/engine\/src\/repository\//,
    mayImport: ['engine/ports', 'contracts'],
  },
  {
    name: 'engine/jobs',
    pattern: /^packages\/engine\/src\/jobs\//,
    mayImport: ['engine/ports', 'engine/archive', 'engine/repository', 'contracts'],
  },
  {
    name: 'engine/direct-storage',
    pattern: /^packages\/engine\/src\/direct-storage\//,
    mayImport: ['engine/ports', 'engine/archive', 'contracts'],
  },
  {
    name: 'engine/backint',
    pattern: /^packages\/engine\/src\/backint\//,
    mayImport: ['engine/ports', 'engine/direct-storage', 'contracts'],
  },
  {
    name: 'engine/wal',
    pattern: /^packages\/engine\/src\/wal\//,
    mayImport: ['engine/ports', 'engine/archive', 'engine/direct-storage', 'contracts'],
  },
  {
    // It logs in as the source does, with the same programs.
    name: 'engine/binlog',
    pattern: /^packages\/engine\/src\/binlog\//,
    mayImport: ['engine/ports', 'engine/direct-storage', 'engine/sources', 'contracts'],
  },
  { name: 'engine/testing', pattern: /^packages\/engine\/src\/testing\//, mayImport: ['engine/ports', 'contracts'] },
  { name: 'engine/assembly', pattern: /^packages\/engine\/assembly\//, mayImport: [], packages: /^$/ },
  {
    name: 'engine/joint',
    pattern: /^packages\/engine\/src\/[^/]+\.ts$/,
    mayImport: [
      'engine/ports',
      'engine/sources-list',
      'engine/storages-list',
      'engine/storage-decorators',
      'engine/archive',
      'engine/repository',
      'engine/jobs',
      'engine/direct-storage',
      'engine/backint',
      'engine/wal',
      'engine/binlog',
      'contracts',
    ],
  },

  { name: 'agent', pattern: /^apps\/agent\//, mayImport: ['contracts', 'engine/joint', 'engine/ports'] },
  { name: 'cli', pattern: /^apps\/cli\//, mayImport: ['contracts'], lazily: ['server/main', 'agent', 'engine/joint'] },

  { name: 'server/main', pattern: /^apps\/server\/src\/main\.ts$/, mayImport: ['*'] },
  { name: 'server/joint', pattern: /^apps\/server\/src\/(app|connect-[a-z-]+)\.ts$/, mayImport: ['*'] },
  { name: 'server/core', pattern: /^apps\/server\/src\/(event-bus|metrics)\.ts$/, mayImport: ['contracts'] },
  { name: 'server/config', pattern: /^apps\/server\/src\/config\//, mayImport: ['contracts'] },
  { name: 'server/database', pattern: /^apps\/server\/src\/database\//, mayImport: ['contracts'] },
  { name: 'server/stores', pattern: /^apps\/server\/src\/stores\//, mayImport: ['server/database', 'contracts'] },
  { name: 'server/http', pattern: /^apps\/server\/src\/http\//, mayImport: ['contracts', 'server/core'] },
  { name: 'server/channels', pattern: /^apps\/server\/src\/channels\//, mayImport: ['contracts'] },
  {
    name: 'server/dispatch',
    pattern: /^apps\/server\/src\/dispatch\//,
    mayImport: ['server/stores', 'server/core', 'server/database', 'engine/joint', 'engine/ports', 'contracts'],
  },
  {
    name: 'server/scheduling',
    pattern: /^apps\/server\/src\/scheduling\//,
    mayImport: ['server/dispatch', 'server/stores', 'engine/ports', 'contracts'],
  },
  {
    name: 'server/followups',
    pattern: /^apps\/server\/src\/followups\//,
    mayImport: ['server/dispatch', 'server/stores', 'server/channels', 'engine/ports', 'contracts'],
  },
  {
    name: 'server/features',
    pattern: /^apps\/server\/src\/features\//,
    mayImport: [
      'server/dispatch',
      'server/scheduling',
      'server/stores',
      'server/http',
      'server/core',
      'engine/ports',
      'contracts',
    ],
    isolateBy: /^apps\/server\/src\/features\/([^/]+)/,
  },

  { name: 'web/ui', pattern: /^apps\/web\/src\/ui\//, mayImport: [] },
  { name: 'web/i18n', pattern: /^apps\/web\/src\/i18n\//, mayImport: ['contracts'] },
  { name: 'web/api', pattern: /^apps\/web\/src\/api\//, mayImport: ['contracts', 'web/i18n'] },
  {
    name: 'web/components',
    pattern: /^apps\/web\/src\/components\//,
    mayImport: ['web/ui', 'web/api', 'web/i18n', 'contracts'],
  },
  {
    name: 'web/forms',
    pattern: /^apps\/web\/src\/forms\//,
    mayImport: ['web/components', 'web/ui', 'web/api', 'web/i18n', 'contracts'],
  },
  {
    name: 'web/pages',
    pattern: /^apps\/web\/src\/pages\//,
    mayImport: ['web/forms', 'web/components', 'web/ui', 'web/api', 'web/i18n', 'contracts'],
  },
  {
    name: 'web/joint',
    pattern: /^apps\/web\/(src\/[^/]+\.tsx?|vite\.config\.ts)$/,
    mayImport: ['web/pages', 'web/forms', 'web/components', 'web/ui', 'web/api', 'web/i18n', 'contracts'],
  },

  { name: 'tools', pattern: /^tools\//, mayImport: ['contracts', 'server/config'] },
  { name: 'bench', pattern: /^bench\//, mayImport: ['*'] },
  { name: 'root', pattern: /^[^/]+\.ts$/, mayImport: [] },
];
