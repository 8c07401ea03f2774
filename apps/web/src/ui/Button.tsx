import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react';
import { Icon, type IconName } from './Icon.tsx';

export type ButtonKind = 'primary' | 'secondary' | 'ghost' | 'danger';

const kinds: Readonly<Record<ButtonKind, string>> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-hover shadow-card',
  secondary: 'border border-line bg-surface text-ink hover:bg-raised shadow-card',
  ghost: 'text-ink-2 hover:bg-raised hover:text-ink',
  danger: 'bg-danger text-white hover:bg-danger-hover shadow-card',
};

/** The look of a button, for links that act like one. */
export function buttonClass(kind: ButtonKind = 'secondary', small = false): string {
  const size = small ? 'h-8 px-2.5 text-[13px]' : 'h-9 px-3.5';
  return `inline-flex items-center justify-center gap-1.5 rounded-lg font-medium whitespace-nowrap transition-colors disabled:opacity-55 ${size} ${kinds[kind]}`;
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  icon?: IconName;
  small?: boolean;
  /** Shows a turning mark and refuses clicks. */
  busy?: boolean;
  children?: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ kind, icon, small, busy, children, className = '', ...rest }: ButtonProps) {
  const mark = busy ? 'spinner' : icon;
  return (
    <button
      type="button"
      {...rest}
      disabled={rest.disabled || busy}
      className={`${buttonClass(kind, small)} ${className}`}
    >
      {mark && <Icon name={mark} size={small ? 14 : 16} className={busy ? 'spin' : ''} />}
      {children}
    </button>
  );
}

/** A button that shows an icon only; `label` is what it says. */
export function IconButton({
  icon,
  label,
  className = '',
  ...rest
}: Omit<ButtonProps, 'kind' | 'children'> & { icon: IconName; label: string }) {
  const { busy, small, ...native } = rest;
  return (
    <button
      type="button"
      {...native}
      disabled={native.disabled || busy}
      aria-label={label}
      title={label}
      className={`inline-flex size-8 items-center justify-center rounded-lg text-ink-2 transition-colors hover:bg-raised hover:text-ink disabled:opacity-50 ${className}`}
    >
      <Icon name={busy ? 'spinner' : icon} size={small ? 14 : 16} className={busy ? 'spin' : ''} />
    </button>
  );
}
