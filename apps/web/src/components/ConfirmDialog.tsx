import { type ReactNode, useRef, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Dialog } from '../ui/Dialog.tsx';
import { TextField } from '../ui/Field.tsx';
import { ErrorBox } from './ErrorBox.tsx';

/** A name as a person types it: a keyboard has one dash and no care for spaces. */
const plain = (text: string) => text.trim().replace(/[–—]/g, '-').replace(/\s+/g, ' ');

/** Names the object and the loss; Cancel has the focus. With `typeToConfirm` the name must be typed. */
export function ConfirmDialog({
  open,
  onClose,
  title,
  children,
  confirm,
  onConfirm,
  busy,
  error,
  typeToConfirm,
  isReady = true,
  kind = 'danger',
  wide,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  confirm: string;
  onConfirm: () => void;
  busy?: boolean;
  error?: unknown;
  typeToConfirm?: string;
  /** False: something has to be chosen first. */
  isReady?: boolean;
  kind?: 'danger' | 'primary';
  /** For tables. */
  wide?: boolean;
}) {
  const cancel = useRef<HTMLButtonElement>(null);
  const [typed, setTyped] = useState('');
  const ready = isReady && (typeToConfirm === undefined || plain(typed) === plain(typeToConfirm));
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={title}
      closeLabel={t('action.close')}
      initialFocus={cancel}
      wide={wide}
      footer={
        <>
          <Button ref={cancel} onClick={onClose}>
            {t('action.cancel')}
          </Button>
          <Button kind={kind} busy={busy} disabled={!ready} onClick={onConfirm}>
            {confirm}
          </Button>
        </>
      }
    >
      <div className="space-y-4">
        <div className="text-ink-2">{children}</div>
        {typeToConfirm !== undefined && (
          <TextField
            label={t('confirm.type', { name: typeToConfirm })}
            value={typed}
            onChange={setTyped}
            autoComplete="off"
            spellCheck={false}
          />
        )}
        <ErrorBox error={error} />
      </div>
    </Dialog>
  );
}
