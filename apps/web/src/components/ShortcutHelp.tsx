import { t } from '../i18n/i18n.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { shortcuts } from './shortcuts.ts';

const keyNames: Readonly<Record<string, string>> = { 'mod+k': 'Ctrl K' };

/** Prints the table the key handler obeys. */
export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog open onClose={onClose} title={t('shortcut.title')} closeLabel={t('action.close')}>
      <dl className="space-y-2">
        {shortcuts.map((shortcut) => (
          <div key={shortcut.keys.join()} className="flex items-center justify-between gap-4">
            <dt className="text-ink-2">{t(shortcut.does as 'shortcut.help')}</dt>
            <dd className="flex gap-1">
              {shortcut.keys.map((key) => (
                <kbd key={key} className="rounded-md border border-line bg-raised px-2 py-0.5 font-mono text-xs">
                  {keyNames[key] ?? key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
