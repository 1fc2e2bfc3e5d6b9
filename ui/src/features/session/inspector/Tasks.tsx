import { ListTodo } from "lucide-react";
import { EmptyState } from "@/ui";
import type { Todo } from "@/transcript/facts";
import { TodoList } from "../cards/TodoList";

export function Tasks({ todos }: { todos: readonly Todo[] }) {
  if (todos.length === 0) return <EmptyState icon={ListTodo} title="No task list" >The agent writes one when the work has several steps.</EmptyState>;
  const done = todos.filter((todo) => todo.status === "done" || todo.status === "cancelled").length;
  return (
    <div className="min-h-0 flex-1 overflow-y-auto p-4">
      <div className="mb-3 flex items-center gap-3">
        <span className="text-ui font-medium tnum">
          {done} of {todos.length} done
        </span>
        <div className="h-1 flex-1 overflow-hidden rounded-full bg-press">
          <div className="h-full rounded-full bg-done" style={{ width: `${(done / todos.length) * 100}%` }} />
        </div>
      </div>
      <div className="text-ui">
        <TodoList todos={todos} />
      </div>
    </div>
  );
}
