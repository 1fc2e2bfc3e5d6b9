import { useEffect, useRef } from "react";
import { cx } from "@/ui";
import type { Choice } from "./usePicker";

/** The list above the field. The field keeps the focus; this only shows and takes presses. */
export function PickerList({ id, choices, note, active, onActive, onChoose }: {
  id: string;
  choices: readonly Choice[];
  note: string | null;
  active: number;
  onActive: (index: number) => void;
  onChoose: (choice: Choice) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    box.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [active]);
  if (choices.length === 0 && note === null) return null;
  let group = "";
  return (
    <div ref={box} id={id} tabIndex={-1} role="listbox" aria-label="Suggestions" className="picker">
      {note && <p className="px-2.5 py-2 text-code text-text-2">{note}</p>}
      {choices.map((choice, index) => {
        const head = choice.group !== group && choice.group;
        group = choice.group;
        return (
          <div key={choice.id} role="presentation">
            {head && (
              <p role="presentation" className="px-2 pt-2 pb-1 text-meta font-medium text-text-3">
                {head}
              </p>
            )}
            <div
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === active}
              className={cx("picker-option", index === active && "bg-hover")}
              onPointerMove={() => onActive(index)}
              onPointerDown={(event) => {
                event.preventDefault();
                onChoose(choice);
              }}
            >
              <span className="shrink-0 font-medium">
                {choice.label}
                {choice.hint && <span className="font-normal text-text-3"> {choice.hint}</span>}
              </span>
              {choice.description && <span className="min-w-0 truncate text-text-3">{choice.description}</span>}
            </div>
          </div>
        );
      })}
    </div>
  );
}
