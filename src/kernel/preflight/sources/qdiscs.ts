/**
 * Queueing disciplines as `tc -json qdisc show` prints them. For some kinds (dsmark) tc prints what is no JSON: then nothing
 * is seen, which is better than half of it.
 */
import { z } from "zod";
import { parseJson } from "./json.js";

const qdiscSchema = z.object({
  kind: z.string(),
  handle: z.string(),
  dev: z.string(),
  root: z.boolean().default(false),
  options: z.object({ r2q: z.number().optional() }).optional(),
});

export interface Qdisc {
  readonly device: string;
  readonly kind: string;
  /** Such as `1:`. The kernel's own defaults have `0:`. */
  readonly handle: string;
  readonly isRoot: boolean;
  /** Only htb has one. */
  readonly r2q: number | undefined;
}

export function parseQdiscs(text: string): readonly Qdisc[] | undefined {
  return parseJson(text, z.array(qdiscSchema))?.map(({ dev, kind, handle, root, options }) => ({
    device: dev,
    kind,
    handle,
    isRoot: root,
    r2q: options?.r2q,
  }));
}
