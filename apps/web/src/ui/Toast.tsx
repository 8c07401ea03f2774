/** Short notices at the foot of the page, read out politely; one may carry an action such as Undo. */
import { useSyncExternalStore } from 'react';
import { Icon, type IconName } from './Icon.tsx';

export interface Notice {
  readonly text: string;
  readonly tone?: 'ok' | 'bad';
  readonly action?: { readonly label: string; readonly run: () => void };
}
interface Shown extends Notice {
  readonly id: number;
}

const SHOW_MS = 6000;
let notices: readonly Shown[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: readonly Shown[]): void {
  notices = next;
  for (const listener of listeners) listener();
}
const dismiss = (id: number) => set(notices.filter((notice) => notice.id !== id));

/** Shows a notice for six seconds. */
export function showToast(notice: Notice): void {
  const id = nextId++;
  set([...notices.slice(-2), { ...notice, id }]);
  setTimeout(() => dismiss(id), notice.action ? SHOW_MS * 1.5 : SHOW_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts({ closeLabel }: { closeLabel: string }) {
  const shown = useSyncExternalStore(subscribe, () => notices);
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed inset-x-3 bottom-3 z-60 flex flex-col items-center gap-2 max-lg:bottom-18"
    >
      {shown.map((notice) => {
        const icon: IconName = notice.tone === 'bad' ? 'alert' : 'check-circle';
        return (
          <div
            key={notice.id}
            className="rise pointer-events-auto flex max-w-lg items-center gap-3 rounded-xl border border-line bg-surface py-2 pr-2 pl-4 shadow-pop"
          >
            <Icon name={icon} className={notice.tone === 'bad' ? 'text-bad' : 'text-ok'} />
            <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">{notice.text}</span>
            {notice.action && (
              <button
                type="button"
                className="h-8 rounded-lg px-2.5 font-medium text-accent-ink hover:bg-raised"
                onClick={() => {
                  notice.action?.run();
                  dismiss(notice.id);
                }}
              >
                {notice.action.label}
              </button>
            )}
            <button
              type="button"
              aria-label={closeLabel}
              className="grid size-8 place-items-center rounded-lg text-ink-3 hover:bg-raised"
              onClick={() => dismiss(notice.id)}
            >
              <Icon name="x" size={14} />
            </button>
          </div>
        );
      })}
    </div>
  );
}
