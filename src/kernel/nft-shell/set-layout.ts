/** What the keys and values of a table's sets are made of, as their declarations say. Pure. */
import { KernelError } from "../../model/errors.js";
import { codecOf, type FieldCodec } from "./fields.js";

export interface SetLayout {
  readonly name: string;
  readonly key: readonly FieldCodec[];
  /** Of maps. */
  readonly data?: FieldCodec;
}

/** By name of the set. */
export type SetLayouts = Pick<ReadonlyMap<string, SetLayout>, "get">;

const OPENING = /^\s*(?:map|set) (\S+) \{/;
const TYPE = /^\s*type (\w+(?: \. \w+)*)(?: : (\w+))?\s*;?$/;
const PAD = 4;

/**
 * From the text of a table, as Sluice writes it or as `nft list` prints it: one source of truth for both. Sets with a type
 * that Sluice does not use are left out.
 */
export function parseLayouts(text: string): ReadonlyMap<string, SetLayout> {
  const layouts = new Map<string, SetLayout>();
  let name: string | undefined;
  for (const line of text.split("\n")) {
    name = OPENING.exec(line)?.[1] ?? name;
    const type = name === undefined ? null : TYPE.exec(line);
    if (name === undefined || type === null) continue;
    const layout = layoutOf(name, type[1] ?? "", type[2]);
    if (layout !== undefined) layouts.set(name, layout);
    name = undefined;
  }
  return layouts;
}

function layoutOf(name: string, keyType: string, dataType: string | undefined): SetLayout | undefined {
  const key = keyType.split(" . ").map(codecOf);
  const known = key.filter((codec) => codec !== undefined);
  if (known.length < key.length) return undefined;
  if (dataType === undefined) return { name, key: known };
  const data = codecOf(dataType);
  return data === undefined ? undefined : { name, key: known, data };
}

const padded = (width: number): number => Math.ceil(width / PAD) * PAD;

/** Octets of a field in the key: concatenated fields are padded, a lone one is not. */
const strideOf = (layout: SetLayout, codec: FieldCodec): number =>
  layout.key.length === 1 ? codec.width : padded(codec.width);

/** @throws KernelError KERNEL_NFT_TEXT for a key of another length. */
export function keyText(layout: SetLayout, key: Buffer): string {
  const length = layout.key.reduce((sum, codec) => sum + strideOf(layout, codec), 0);
  if (key.length !== length) {
    const operation = `write a key of ${layout.name} as text`;
    const why = `${key.length} octets where its type has ${length}`;
    throw new KernelError("KERNEL_NFT_TEXT", `${operation}: ${why}`, { operation, errno: "EINVAL" });
  }
  let at = 0;
  return layout.key
    .map((codec) => {
      const text = codec.toText(key.subarray(at, at + codec.width));
      at += strideOf(layout, codec);
      return text;
    })
    .join(" . ");
}

/** Undefined where the words are no key of the set. */
export function keyOctets(layout: SetLayout, words: readonly string[]): Buffer | undefined {
  if (words.length !== layout.key.length) return undefined;
  const key = Buffer.alloc(layout.key.reduce((sum, codec) => sum + strideOf(layout, codec), 0));
  let at = 0;
  for (const [index, codec] of layout.key.entries()) {
    const octets = codec.fromText(words[index] ?? "");
    if (octets === undefined) return undefined;
    key.set(octets, at);
    at += strideOf(layout, codec);
  }
  return key;
}
