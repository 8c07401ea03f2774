import { Dialog as Base } from '@base-ui/react/dialog';
import type { ReactNode, RefObject } from 'react';
import { IconButton } from './Button.tsx';

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** One or two sentences under the title. */
  description?: ReactNode;
  closeLabel: string;
  children?: ReactNode;
  /** Buttons, the safe one first. */
  footer?: ReactNode;
  wide?: boolean;
  initialFocus?: RefObject<HTMLElement | null>;
}

/** A modal: focus is kept inside and returned; full screen on a phone. */
export function Dialog({
  open,
  onClose,
  title,
  description,
  closeLabel,
  children,
  footer,
  wide,
  initialFocus,
}: DialogProps) {
  return (
    <Base.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-black/45" />
        <Base.Viewport className="fixed inset-0 z-50 grid place-items-center sm:p-6">
          <Base.Popup
            initialFocus={initialFocus}
            className={`rise flex max-h-dvh w-full flex-col overflow-hidden bg-surface text-ink shadow-pop outline-none max-sm:h-dvh sm:max-h-[85dvh] sm:rounded-2xl sm:border sm:border-line ${wide ? 'sm:max-w-2xl' : 'sm:max-w-lg'}`}
          >
            <div className="flex items-start gap-4 px-5 pt-5 pb-1">
              <div className="min-w-0 flex-1">
                <Base.Title className="text-base font-semibold text-balance">{title}</Base.Title>
                {description && <Base.Description className="mt-1 text-ink-2">{description}</Base.Description>}
              </div>
              <IconButton icon="x" label={closeLabel} onClick={onClose} className="-mt-1 -mr-1.5" />
            </div>
            <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">{children}</div>
            {footer && (
              <div className="flex flex-wrap justify-end gap-2 border-t border-line bg-raised/40 px-5 py-3.5">
                {footer}
              </div>
            )}
          </Base.Popup>
        </Base.Viewport>
      </Base.Portal>
    </Base.Root>
  );
}
