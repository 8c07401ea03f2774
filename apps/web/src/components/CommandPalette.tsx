import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useId, useMemo, useRef, useState } from 'react';
import { itemsOf, useNodes, useStorageTargets, useTasks } from '../api/queries.ts';
import { useRepositories } from '../api/repository-queries.ts';
import { useUser } from '../api/session.ts';
import { t } from '../i18n/i18n.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { Icon, type IconName } from '../ui/Icon.tsx';
import { paths } from './paths.ts';

export interface Command {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly icon: IconName;
  readonly to: string;
}

const LIMIT = 12;

/** Pages first, then what exists on this installation; each word typed must occur. */
export function findCommands(commands: readonly Command[], query: string): readonly Command[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return commands
    .filter((command) => words.every((word) => `${command.label} ${command.kind}`.toLowerCase().includes(word)))
    .slice(0, LIMIT);
}

function useCommands(pages: readonly Command[]): readonly Command[] {
  const tasks = useTasks();
  const nodes = useNodes();
  const targets = useStorageTargets();
  const repositories = useRepositories();
  const canEdit = useUser().can('operator');
  return useMemo(
    () => [
      ...pages,
      ...itemsOf(tasks.data).map((task) => ({
        id: `task ${task.id}`,
        label: task.name,
        kind: t('palette.task'),
        icon: 'tasks' as const,
        to: paths.task(task.id),
      })),
      ...(nodes.data ?? []).map((node) => ({
        id: `node ${node.id}`,
        label: node.name,
        kind: t('palette.server'),
        icon: 'servers' as const,
        to: paths.servers,
      })),
      ...(targets.data ?? []).map((target) => ({
        id: `target ${target.id}`,
        label: target.name,
        kind: t('palette.storage'),
        icon: 'storage' as const,
        to: canEdit ? paths.editStorage(target.id) : paths.storage,
      })),
      ...(repositories.data ?? []).map((repository) => ({
        id: `repository ${repository.id}`,
        label: repository.name,
        kind: t('repository.repository'),
        icon: 'storage' as const,
        to: paths.repository(repository.id),
      })),
    ],
    [pages, tasks.data, nodes.data, targets.data, repositories.data, canEdit],
  );
}

/** Go anywhere by typing: pages, tasks, servers, storage, repositories. */
export function CommandPalette({ pages, onClose }: { pages: readonly Command[]; onClose: () => void }) {
  const navigate = useNavigate();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const found = findCommands(useCommands(pages), query);
  const open = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    void navigate({ to: command.to });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') open(found[at]);
    else if (event.key === 'ArrowDown') setAt((index) => Math.min(index + 1, found.length - 1));
    else if (event.key === 'ArrowUp') setAt((index) => Math.max(index - 1, 0));
    else return;
    event.preventDefault();
  };
  return (
    <Dialog open onClose={onClose} title={t('palette.title')} closeLabel={t('action.close')} initialFocus={input}>
      <input
        ref={input}
        role="combobox"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
        aria-label={t('palette.title')}
        placeholder={t('palette.placeholder')}
        value={query}
        onKeyDown={onKeyDown}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        className="h-10 w-full rounded-lg border border-line-strong/60 bg-surface px-3"
      />
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: options of the combobox above */}
      <ul id={`${id}-list`} role="listbox" aria-label={t('palette.title')} className="mt-3 min-h-40">
        {found.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox has the keys
          // biome-ignore lint/a11y/useFocusableInteractive: focus stays in the combobox (aria-activedescendant)
          <li
            key={command.id}
            id={`${id}-${index}`}
            // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: options of the combobox above
            role="option"
            aria-selected={index === at}
            onClick={() => open(command)}
            onPointerMove={() => setAt(index)}
            className={`flex h-10 cursor-pointer items-center gap-3 rounded-lg px-3 ${index === at ? 'bg-accent-soft text-accent-ink' : ''}`}
          >
            <Icon name={command.icon} />
            <span className="min-w-0 flex-1 truncate">{command.label}</span>
            <span className="text-[13px] text-ink-2">{command.kind}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="text-center text-ink-2">{t('palette.none')}</p>}
    </Dialog>
  );
}
