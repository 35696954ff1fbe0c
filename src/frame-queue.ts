/**
 * A bounded hand-over of frames from the decoder to the encoder, so that both work at once.
 * Does not know what a frame is, nor who stands at either end.
 */

/** `push` waits while `capacity` frames are waiting; the reader sees them in order. */
export type FrameQueue = {
  readonly frames: AsyncIterable<Uint8Array>;
  push(frame: Uint8Array): Promise<void>;
  /** No more frames will come. */
  end(): void;
  /** The reader is gone, also if it never read. */
  abandon(): void;
};

/** A queue for one writer and one reader. Once the reader has left, `push` resolves at once and drops its frame. */
export function frameQueue(capacity: number): FrameQueue {
  const waiting: Uint8Array[] = [];
  let isEnded = false;
  let hasLeft = false;
  let wake: () => void = () => {};
  let changed = Promise.resolve();
  const nextChange = (): void => {
    changed = new Promise((resolve) => {
      wake = resolve;
    });
  };
  nextChange();
  const announce = (): void => {
    const notify = wake;
    nextChange();
    notify();
  };

  const abandon = (): void => {
    hasLeft = true;
    announce();
  };

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const frame = waiting.shift();
        if (frame) {
          announce();
          yield frame;
        } else if (isEnded) return;
        else await changed;
      }
    } finally {
      abandon();
    }
  }

  return {
    frames: read(),
    async push(frame) {
      while (waiting.length >= capacity && !hasLeft) await changed;
      if (hasLeft) return;
      waiting.push(frame);
      announce();
    },
    end() {
      isEnded = true;
      announce();
    },
    abandon,
  };
}
