import { useState } from 'react';
import { useDirectory } from '../api/queries.ts';
import { formatBytes } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Dialog } from '../ui/Dialog.tsx';
import { TextField } from '../ui/Field.tsx';
import { Icon } from '../ui/Icon.tsx';
import { QueryView } from './QueryView.tsx';

/** The folder above; `/` and drive roots are their own parent. */
export function parentFolder(path: string): string {
  const cut = path.replace(/\/+$/, '').lastIndexOf('/');
  return cut <= 0 ? '/' : path.slice(0, cut);
}

function Entries({
  nodeId,
  path,
  onOpen,
  foldersOnly,
}: {
  nodeId: number;
  path: string;
  onOpen: (path: string) => void;
  foldersOnly?: boolean;
}) {
  const query = useDirectory(nodeId, path, true);
  return (
    <QueryView query={query} rows={6}>
      {({ entries, truncated }) => {
        const shown = foldersOnly ? entries.filter((entry) => entry.isDir) : entries;
        return (
          <>
            {shown.length === 0 && <p className="px-3 py-6 text-center text-ink-3">{t('picker.empty')}</p>}
            <ul>
              {shown.map((entry) => (
                <li key={entry.path}>
                  {entry.isDir ? (
                    <button
                      type="button"
                      onClick={() => onOpen(entry.path)}
                      className="flex min-h-9 w-full items-center gap-2.5 px-3 text-left -outline-offset-2 hover:bg-raised"
                    >
                      <Icon name="folder" className="text-accent-ink" />
                      <span className="min-w-0 flex-1 truncate">{entry.name}</span>
                      <Icon name="chevron-right" size={14} className="text-ink-3" />
                    </button>
                  ) : (
                    <div className="flex min-h-9 items-center gap-2.5 px-3 text-ink-3">
                      <Icon name="file" />
                      <span className="min-w-0 flex-1 truncate">{entry.name}</span>
                      <span className="text-[13px] tabular-nums">{formatBytes(entry.size)}</span>
                    </div>
                  )}
                </li>
              ))}
            </ul>
            {truncated && <p className="px-3 py-2 text-[13px] text-ink-3">{t('picker.truncated')}</p>}
          </>
        );
      }}
    </QueryView>
  );
}

/** Walks the folders of a server and hands back the chosen path. */
export function DirectoryPicker({
  nodeId,
  nodeName,
  start,
  foldersOnly,
  onPick,
  onClose,
}: {
  nodeId: number;
  nodeName: string;
  start: string;
  foldersOnly?: boolean;
  onPick: (path: string) => void;
  onClose: () => void;
}) {
  const [path, setPath] = useState(start.startsWith('/') ? start : '/');
  const [typed, setTyped] = useState(path);
  const open = (next: string) => {
    setPath(next);
    setTyped(next);
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={t('picker.title', { node: nodeName })}
      closeLabel={t('action.close')}
      wide
      footer={
        <>
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="primary" onClick={() => onPick(path)}>
            {t('picker.choose')}
          </Button>
        </>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          event.stopPropagation();
          open(typed.trim() || '/');
        }}
      >
        <TextField
          label={t('picker.path')}
          value={typed}
          onChange={setTyped}
          className="font-mono"
          spellCheck={false}
          end={
            <>
              <Button type="submit">{t('picker.go')}</Button>
              <Button icon="chevron-up" onClick={() => open(parentFolder(path))} disabled={path === '/'}>
                {t('picker.up')}
              </Button>
            </>
          }
        />
      </form>
      <div className="mt-3 h-72 overflow-y-auto rounded-lg border border-line">
        <Entries nodeId={nodeId} path={path} onOpen={open} foldersOnly={foldersOnly} />
      </div>
      <p aria-live="polite" className="mt-3 [overflow-wrap:anywhere] text-[13px] text-ink-2">
        {t('picker.selected', { path })}
      </p>
    </Dialog>
  );
}
