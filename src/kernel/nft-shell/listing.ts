/**
 * Elements as nft prints them. Keys and values are read strictly; statements that Sluice never writes are passed over, as
 * unknown attributes are by netlink: whoever put them there, the element is then seen to be none of ours. Pure.
 */
import { KernelError } from "../../model/errors.js";
import type { ByteLimit, ElementCounter, SetElement } from "../netlink/set-element.js";
import { keyOctets, parseLayouts, type SetLayout } from "./set-layout.js";

const UNITS: Readonly<Record<string, number>> = { bytes: 1, kbytes: 2 ** 10, mbytes: 2 ** 20, gbytes: 2 ** 30 };
const DEFAULT_PACKETS = 5;
/** Quoted strings, commas, and words: the colons inside addresses and class ids are part of a word. */
const TOKEN = /"[^"\n]*"|,|[^\s,"]+/g;

function unreadable(what: string): KernelError {
  const operation = "read nft's listing";
  return new KernelError("KERNEL_NFT_TEXT", `${operation}: ${what.slice(0, 200)}`, { operation, errno: "EBADMSG" });
}

/** Walks over the words of one element. */
class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get next(): string | undefined {
    return this.#words[this.#at];
  }

  take(): string {
    const word = this.#words[this.#at] ?? "";
    this.#at += 1;
    return word;
  }

  /** Takes the word if it is this one. */
  eat(word: string): boolean {
    const isNext = this.next === word;
    if (isNext) this.#at += 1;
    return isNext;
  }
}

/** Every element of a listing of one set. @throws KernelError KERNEL_NFT_TEXT. */
export function parseListing(text: string, set: string): readonly SetElement[] {
  const layout = parseLayouts(text).get(set);
  if (layout === undefined) throw unreadable(`the type of ${set}`);
  const begin = text.indexOf("elements = {");
  const end = text.lastIndexOf("}", text.lastIndexOf("}", text.lastIndexOf("}") - 1) - 1);
  if (begin < 0) return [];
  if (end < begin) throw unreadable(`the elements of ${set} have no end`);
  return parseElements(text.slice(begin + "elements = {".length, end), layout);
}

/** What stands between the braces. @throws KernelError KERNEL_NFT_TEXT. */
export function parseElements(text: string, layout: SetLayout): readonly SetElement[] {
  const elements: SetElement[] = [];
  let words: string[] = [];
  const finish = (): void => {
    if (words.length > 0) elements.push(parseElement(words, layout));
    words = [];
  };
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === ",") finish();
    else words.push(token);
  }
  finish();
  return elements;
}

function parseElement(tokens: readonly string[], layout: SetLayout): SetElement {
  const words = new Words(tokens);
  const fields = [words.take()];
  while (words.eat(".")) fields.push(words.take());
  const key = keyOctets(layout, fields);
  if (key === undefined) throw unreadable(`a key of ${layout.name}: ${tokens.join(" ")}`);
  let found: Pick<SetElement, "limit" | "counter" | "comment"> = {};
  while (words.next !== undefined && words.next !== ":") {
    if (words.eat("limit")) found = { ...found, ...readLimit(words) };
    else if (words.eat("counter")) found = { ...found, ...readCounter(words) };
    else if (words.eat("comment")) found = { ...found, comment: words.take().slice(1, -1) };
    else words.take();
  }
  if (layout.data === undefined) return { key, ...found };
  const data = words.eat(":") ? layout.data.fromText(words.take()) : undefined;
  if (data === undefined) throw unreadable(`a value of ${layout.name}: ${tokens.join(" ")}`);
  return { key, data, ...found };
}

const count = (text: string): number | undefined => (/^\d{1,20}$/.test(text) ? Number(text) : undefined);

/** `rate 10 kbytes/second burst 1500 bytes`: nft picks the largest unit that divides, so nothing is rounded. */
function readLimit(words: Words): { readonly limit?: ByteLimit } {
  if (!words.eat("rate")) return {};
  const packets = /^(\d{1,20})\/second$/.exec(words.next ?? "")?.[1];
  if (packets !== undefined) return readPacketLimit(words, Number(packets));
  const amount = count(words.take());
  const unit = /^(\w+)\/second$/.exec(words.next ?? "")?.[1];
  const factor = UNITS[unit ?? ""];
  if (amount === undefined || factor === undefined) return {};
  words.take();
  if (!words.eat("burst")) return { limit: { rate: amount * factor, burst: 0 } };
  const burst = count(words.take());
  const burstFactor = UNITS[words.take()];
  if (burst === undefined || burstFactor === undefined) return {};
  return { limit: { rate: amount * factor, burst: burst * burstFactor } };
}

/** `rate 50/second burst 10 packets`; a burst of nft's own default is not printed. */
function readPacketLimit(words: Words, rate: number): { readonly limit?: ByteLimit } {
  words.take();
  if (!words.eat("burst")) return { limit: { unit: "packets", rate, burst: DEFAULT_PACKETS } };
  const burst = count(words.take());
  return burst !== undefined && words.eat("packets") ? { limit: { unit: "packets", rate, burst } } : {};
}

function readCounter(words: Words): { readonly counter?: ElementCounter } {
  const packets = words.eat("packets") ? count(words.take()) : undefined;
  const octets = words.eat("bytes") ? count(words.take()) : undefined;
  return packets === undefined || octets === undefined ? {} : { counter: { packets, octets } };
}
