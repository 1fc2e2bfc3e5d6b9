import { FilePlus, Link2, Mail, MailOpen, Pencil, Pin, PinOff, Square } from "lucide-react";
import type { SessionRow } from "@/data/hub";
import { MenuItem, MenuSeparator } from "@/ui/Menu";
import { copyLink, duplicate, endSession, togglePin, toggleRead } from "./actions";

/** The same entries for the "more" button, right click and long press. */
export function RowMenu({ row, unread, onRename }: { row: SessionRow; unread: boolean; onRename: () => void }) {
  return (
    <>
      <MenuItem icon={row.pinned ? PinOff : Pin} keys="P" onSelect={() => void togglePin(row)}>
        {row.pinned ? "Unpin" : "Pin"}
      </MenuItem>
      {row.live && (
        <>
          <MenuItem icon={unread ? MailOpen : Mail} keys="U" onSelect={() => toggleRead(row, unread)}>
            {unread ? "Mark as read" : "Mark as unread"}
          </MenuItem>
          <MenuItem icon={Pencil} onSelect={onRename}>
            Rename
          </MenuItem>
        </>
      )}
      <MenuItem icon={Link2} onSelect={() => void copyLink(row)}>
        Copy link
      </MenuItem>
      <MenuItem icon={FilePlus} onSelect={() => duplicate(row)}>
        New session in this folder
      </MenuItem>
      {row.live && (
        <>
          <MenuSeparator />
          <MenuItem icon={Square} danger onSelect={() => void endSession(row)}>
            End session
          </MenuItem>
        </>
      )}
    </>
  );
}

