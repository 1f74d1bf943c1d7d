/**
 * Packet sizes that a rule can compare with, in octets of layer 3. nft cannot compare a packet's length with a value
 * out of a map, so each class is a chain of its own; what a packet may be larger than it should is under 10 %, of the smallest 12 octets. Pure.
 */

/** Thresholds up to `end`, `step` apart. */
const range = (begin: number, end: number, step: number): readonly number[] =>
  Array.from({ length: Math.ceil((end - begin) / step) }, (_, index) => begin + (index + 1) * step);

/** Class n lets through at most `SIZE_CLASSES[n - 1]` octets. Class 0 is none. */
export const SIZE_CLASSES: readonly number[] = [
  ...range(28, 256, 4),
  ...range(256, 512, 8),
  ...range(512, 1024, 32),
  ...range(1024, 2048, 64),
];

export const MAX_SIZE_CLASS = SIZE_CLASSES.length;

/** The least class that lets packets of this size through; undefined for sizes beyond all classes. */
export function sizeClassOf(size: number): number | undefined {
  const index = SIZE_CLASSES.findIndex((threshold) => threshold >= size);
  return index < 0 ? undefined : index + 1;
}
