import { ImageOff } from "lucide-react";
import { lazy, memo, Suspense, useState } from "react";
import { Icon } from "@/ui";
import type { ImageRef } from "@/transcript/message";

const Lightbox = lazy(() => import("./Lightbox").then((part) => ({ default: part.Lightbox })));

/** Thumbnails with a box that is there before the picture. */
export const Pictures = memo(function Pictures({ images }: { images: readonly ImageRef[] }) {
  const [shown, setShown] = useState<number | null>(null);
  return (
    <div className="pictures">
      {images.map((image, index) => (
        <Thumbnail key={index} image={image} onOpen={() => setShown(index)} />
      ))}
      {shown !== null && (
        <Suspense fallback={null}>
          <Lightbox images={images} start={shown} onClose={() => setShown(null)} />
        </Suspense>
      )}
    </div>
  );
});

function Thumbnail({ image, onOpen }: { image: ImageRef; onOpen: () => void }) {
  const [failed, setFailed] = useState(false);
  if (image.src === null || failed) {
    return (
      <div className="picture picture-gone">
        <Icon icon={ImageOff} />
        <span>{failed ? "This picture is no longer stored" : image.alt}</span>
      </div>
    );
  }
  const ratio = image.width && image.height ? `${image.width} / ${image.height}` : "4 / 3";
  return (
    <button type="button" className="picture" style={{ aspectRatio: ratio }} onClick={onOpen} aria-label={`Enlarge ${image.alt}`}>
      <img src={image.src} alt={image.alt} loading="lazy" decoding="async" onError={() => setFailed(true)} />
    </button>
  );
}
