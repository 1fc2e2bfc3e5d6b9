import { useCallback, useState } from "react";
import { bytes } from "@/data/format";
import type { DraftAttachment } from "@/data/drafts";
import { commandId } from "@/net/viewer";
import { toast } from "@/ui";

/** Largest file the relay takes. */
export const MAX_BYTES = 30 * 1024 * 1024;
/** Pasted text beyond this becomes a file. */
export const PASTE_TEXT_BYTES = 8 * 1024;
/** Longest side of a picture that is sent; models see no more. */
const MAX_SIDE = 2_048;
const MOST = 20;

export interface Attachments {
  readonly list: readonly DraftAttachment[];
  readonly add: (files: readonly File[]) => void;
  readonly addText: (text: string) => void;
  readonly remove: (id: string) => void;
  readonly set: (list: readonly DraftAttachment[]) => void;
}

export function useAttachments(onChange: (list: readonly DraftAttachment[]) => void): Attachments {
  const [list, setList] = useState<readonly DraftAttachment[]>([]);
  const change = useCallback(
    (next: (before: readonly DraftAttachment[]) => readonly DraftAttachment[]) =>
      setList((before) => {
        const after = next(before);
        queueMicrotask(() => onChange(after));
        return after;
      }),
    [onChange],
  );
  const addOne = useCallback(
    async (file: File) => {
      if (file.size > MAX_BYTES) {
        toast(`${file.name} is ${bytes(file.size)}. The limit is ${bytes(MAX_BYTES)}.`, { tone: "fail" });
        return;
      }
      const blob = await scaled(file);
      const attachment: DraftAttachment = { id: commandId(), name: nameOf(file, blob), type: blob.type || "application/octet-stream", size: blob.size, blob };
      change((before) => (before.length >= MOST ? before : [...before, attachment]));
    },
    [change],
  );
  return {
    list,
    add: useCallback((files) => files.forEach((file) => void addOne(file)), [addOne]),
    addText: useCallback(
      (text) => {
        const blob = new Blob([text], { type: "text/plain" });
        const count = text.split("\n").length;
        change((before) => [...before, { id: commandId(), name: `Pasted text, ${count} ${count === 1 ? "line" : "lines"}.txt`, type: "text/plain", size: blob.size, blob }]);
      },
      [change],
    ),
    remove: useCallback((id) => change((before) => before.filter((entry) => entry.id !== id)), [change]),
    set: setList,
  };
}

function nameOf(file: File, blob: Blob): string {
  if (blob === file || !file.name) return file.name || "Pasted picture.png";
  return file.name.replace(/\.[^.]+$/, "") + (blob.type === "image/png" ? ".png" : ".jpg");
}

/** Large pictures are made smaller, and kinds that models do not read are converted. What cannot be decoded goes as it is. */
async function scaled(file: File): Promise<Blob> {
  if (!file.type.startsWith("image/") || file.type === "image/svg+xml" || file.type === "image/gif") return file;
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
    const readable = /^image\/(png|jpeg|webp)$/.test(file.type);
    if (scale === 1 && readable) {
      bitmap.close();
      return file;
    }
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    return await canvas.convertToBlob(file.type === "image/png" ? { type: "image/png" } : { type: "image/jpeg", quality: 0.9 });
  } catch {
    return file;
  }
}
