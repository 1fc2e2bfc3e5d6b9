import { Check, Circle, CircleDot, X } from "lucide-react";
import { Icon } from "@/ui";

const TODO_ICONS = { done: Check, in_progress: CircleDot, cancelled: X, pending: Circle } as const;
const TODO_WORDS = { done: "Done", in_progress: "In progress", cancelled: "Cancelled", pending: "Open" } as const;

export function TodoList({ todos }: { todos: readonly { readonly text: string; readonly status: string }[] }) {
  return (
    <ul className="todos">
      {todos.map((todo, index) => {
        const status = todo.status === "done" || todo.status === "in_progress" || todo.status === "cancelled" ? todo.status : "pending";
        return (
          <li key={index} data-status={status}>
            <Icon icon={TODO_ICONS[status]} size={14} />
            <span className="sr-only">{TODO_WORDS[status]}: </span>
            <span>{todo.text}</span>
          </li>
        );
      })}
    </ul>
  );
}
