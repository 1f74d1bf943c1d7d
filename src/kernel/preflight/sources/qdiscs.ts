/**
 * Queueing disciplines as `tc -json qdisc show` prints them. For some kinds (dsmark) tc prints what is no JSON; its plain text
 * is read then, strictly. Pure.
 */
import { z } from "zod";
import type { DsmarkOptions } from "../../dsmark/observed.js";
import { parseJson } from "./json.js";

const qdiscSchema = z.object({
  kind: z.string(),
  handle: z.string(),
  dev: z.string(),
  root: z.boolean().default(false),
  parent: z.string().optional(),
  options: z.object({ r2q: z.number().optional() }).optional(),
});

export interface Qdisc {
  readonly device: string;
  readonly kind: string;
  /** Such as `1:`. The kernel's own defaults have `0:`. */
  readonly handle: string;
  readonly isRoot: boolean;
  /** Such as `2:1`; of those that are no root. */
  readonly parent?: string;
  /** Only htb has one. */
  readonly r2q: number | undefined;
  readonly dsmark?: DsmarkOptions;
}

export function parseQdiscs(text: string): readonly Qdisc[] | undefined {
  return parseJson(text, z.array(qdiscSchema))?.map(({ dev, kind, handle, root, parent, options }) => ({
    device: dev,
    kind,
    handle,
    isRoot: root,
    ...(parent === undefined ? {} : { parent }),
    r2q: options?.r2q,
  }));
}

const LINE = /^qdisc (\S+) ([0-9a-f]+:) dev (\S+) (?:root|parent (\S+)) ?(.*)$/;

function dsmarkOf(rest: string): DsmarkOptions | undefined {
  const match = /(?:^| )indices 0x([0-9a-f]{4})(?: default_index 0x([0-9a-f]{4}))?( set_tc_index)?\s*$/.exec(rest);
  if (match === null) return undefined;
  const [, indices = "", byDefault, flag] = match;
  return {
    indices: Number.parseInt(indices, 16),
    ...(byDefault === undefined ? {} : { defaultIndex: Number.parseInt(byDefault, 16) }),
    setTcIndex: flag !== undefined,
  };
}

function qdiscOf(line: string): Qdisc | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, kind = "", handle = "", device = "", parent, rest = ""] = match;
  const r2q = kind === "htb" ? /(?:^| )r2q (\d+)\b/.exec(rest)?.[1] : undefined;
  const dsmark = kind === "dsmark" ? dsmarkOf(rest) : undefined;
  if (kind === "dsmark" && dsmark === undefined) return undefined;
  return {
    device,
    kind,
    handle,
    isRoot: parent === undefined,
    ...(parent === undefined ? {} : { parent }),
    r2q: r2q === undefined ? undefined : Number(r2q),
    ...(dsmark === undefined ? {} : { dsmark }),
  };
}

/** From `tc qdisc show`. Undefined where a line is none that tc is known to print. */
export function parseQdiscText(text: string): readonly Qdisc[] | undefined {
  const qdiscs: Qdisc[] = [];
  for (const line of text.split("\n")) {
    // What a kind has more to say about stands in lines of its own.
    if (line === "" || /^\s/.test(line)) continue;
    const qdisc = qdiscOf(line);
    if (qdisc === undefined) return undefined;
    qdiscs.push(qdisc);
  }
  return qdiscs;
}
