// The controls that the shell and the views share: native elements underneath, so that keyboard and
// screen readers work as anywhere else. The shell's style sheet dresses them.
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

export interface Option<T extends string = string> {
  value: T;
  title: string;
  /** Shown on hover; on one that is disabled, the reason. */
  help?: string | undefined;
  disabled?: boolean | undefined;
}

interface Control {
  /** What it is called, shown before it. */
  label: string;
  disabled?: boolean | undefined;
  /** Shown on hover; on a disabled control, the reason. */
  title?: string | undefined;
}

interface ChoiceProps<T extends string> extends Control {
  options: readonly Option<T>[];
  value: T;
  onChange(value: T): void;
}

/** A few options side by side; arrow keys move between them. */
export function Segmented<T extends string>(props: ChoiceProps<T>): JSX.Element {
  const { label, options, value, onChange, disabled, title } = props;
  const name = useId();
  return (
    <div class="hs-control" role="radiogroup" aria-label={label} title={title}>
      <span class="hs-label" aria-hidden="true">
        {label}
      </span>
      <span class="hs-segmented">
        {options.map((option) => (
          <label class="hs-segment" title={title ?? option.help} key={option.value}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              disabled={disabled || option.disabled}
              onChange={() => onChange(option.value)}
            />
            <span>{option.title}</span>
          </label>
        ))}
      </span>
    </div>
  );
}

/** One of many. */
export function Select<T extends string>(props: ChoiceProps<T>): JSX.Element {
  const { label, options, value, onChange, disabled, title } = props;
  return (
    <label class="hs-control" title={title}>
      <span class="hs-label">{label}</span>
      <select
        class="hs-select"
        value={value}
        disabled={disabled}
        onChange={(event) => {
          const option = options[event.currentTarget.selectedIndex];
          if (option) onChange(option.value);
        }}
      >
        {options.map((option) => (
          <option
            value={option.value}
            key={option.value}
            title={option.help}
            disabled={option.disabled}
          >
            {option.title}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ToggleProps extends Control {
  checked: boolean;
  onChange(checked: boolean): void;
}

/** On or off. */
export function Toggle({ label, checked, onChange, disabled, title }: ToggleProps): JSX.Element {
  return (
    <label class="hs-control hs-toggle" title={title}>
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}

interface ButtonProps {
  children?: ComponentChildren;
  /** Its name: shown, or, where there are children, only spoken. */
  label?: string | undefined;
  /** Shown on hover. */
  title?: string | undefined;
  /** For a button that stays pressed. */
  pressed?: boolean | undefined;
  disabled?: boolean | undefined;
  onClick(): void;
}

/** Does one thing, or stays pressed. */
export function Button(props: ButtonProps): JSX.Element {
  const { children, label, title, pressed, disabled, onClick } = props;
  return (
    <button
      type="button"
      class="hs-button"
      aria-label={label}
      aria-pressed={pressed}
      title={title ?? (children === undefined ? undefined : label)}
      disabled={disabled}
      onClick={onClick}
    >
      {children ?? label}
    </button>
  );
}
