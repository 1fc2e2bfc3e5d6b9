import { ChevronLeft, ChevronRight, Download, X, ZoomIn, ZoomOut } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { IconButton } from "@/ui";
import type { ImageRef } from "@/transcript/message";

const STEP = 1.5;
const MOST = 6;

/** One picture on the whole screen: zoom, pan by scrolling, next and previous, download. */
export function Lightbox({ images, start, onClose }: { images: readonly ImageRef[]; start: number; onClose: () => void }) {
  const [index, setIndex] = useState(start);
  const [zoom, setZoom] = useState(1);
  const image = images[index];
  if (!image?.src) return null;
  const move = (by: number): void => {
    setIndex((index + by + images.length) % images.length);
    setZoom(1);
  };
  const scale = (by: number): void => setZoom(Math.min(MOST, Math.max(1, zoom * by)));
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-bg/95" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-0 z-50 flex flex-col outline-none"
          onKeyDown={(event) => {
            if (event.key === "ArrowLeft" && images.length > 1) move(-1);
            else if (event.key === "ArrowRight" && images.length > 1) move(1);
            else if (event.key === "+" || event.key === "=") scale(STEP);
            else if (event.key === "-") scale(1 / STEP);
          }}
        >
          <div className="flex items-center gap-1 px-3 py-2">
            <Dialog.Title className="min-w-0 flex-1 truncate text-ui font-medium">{image.alt}</Dialog.Title>
            {images.length > 1 && (
              <>
                <IconButton icon={ChevronLeft} label="Previous picture" onClick={() => move(-1)} />
                <IconButton icon={ChevronRight} label="Next picture" onClick={() => move(1)} />
              </>
            )}
            <IconButton icon={ZoomOut} label="Smaller" disabled={zoom <= 1} onClick={() => scale(1 / STEP)} />
            <IconButton icon={ZoomIn} label="Larger" disabled={zoom >= MOST} onClick={() => scale(STEP)} />
            <a href={image.src} download={image.alt} aria-label="Download picture" className="inline-flex size-[var(--control)] items-center justify-center rounded-ctl text-text-2 hover:bg-hover">
              <Download size={16} strokeWidth={1.75} aria-hidden="true" />
            </a>
            <Dialog.Close asChild>
              <IconButton icon={X} label="Close" tip={false} />
            </Dialog.Close>
          </div>
          <div className="flex min-h-0 flex-1 overflow-auto p-4" onDoubleClick={() => setZoom(zoom > 1 ? 1 : 2)}>
            <img
              src={image.src}
              alt={image.alt}
              className="m-auto"
              style={zoom === 1 ? { maxWidth: "100%", maxHeight: "100%", objectFit: "contain" } : { width: `${zoom * 90}%`, maxWidth: "none" }}
            />
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
