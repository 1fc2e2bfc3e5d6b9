import {
  Bot, Braces, Clock, FilePlus2, FileSearch, FileText, Folder, Globe, Globe2, ListTodo, Map as MapIcon, MessageCircleQuestionMark, MessagesSquare, Notebook, Pencil, Plug, ScrollText, SquareTerminal, Tag, Webhook,
  type LucideIcon,
} from "lucide-react";
import type { ToolKind } from "./describe";

export const TOOL_ICONS: Record<ToolKind, LucideIcon> = {
  bash: SquareTerminal,
  read: FileText,
  edit: Pencil,
  write: FilePlus2,
  search: FileSearch,
  list: Folder,
  todo: ListTodo,
  question: MessageCircleQuestionMark,
  plan: MapIcon,
  "plan-switch": MapIcon,
  agent: Bot,
  session: MessagesSquare,
  "web-search": Globe,
  "web-fetch": Globe2,
  rename: Tag,
  shells: ScrollText,
  memory: Notebook,
  time: Clock,
  trigger: Webhook,
  mcp: Plug,
  other: Braces,
};
