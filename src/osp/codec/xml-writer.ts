/** Element tree -> octets, without any white space around values: receivers compare them untrimmed. */

export interface XmlNode {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly content: string | readonly XmlNode[];
}

type Attributes = XmlNode["attributes"];
type Child = XmlNode | undefined;

/** Attributes and children that are undefined are left out. */
export function element(name: string, content: string | readonly Child[] = "", attributes: Attributes = {}): XmlNode {
  return { name, attributes, content: typeof content === "string" ? content : content.filter((c) => c !== undefined) };
}

/** An element with text, or nothing where there is no value. */
export function optional(name: string, value: string | undefined, attributes?: Attributes): XmlNode | undefined {
  return value === undefined ? undefined : element(name, value, attributes);
}

/** Octets as base64, the encoding every receiver knows. */
export function binary(name: string, octets: Uint8Array, attributes: Attributes = {}): XmlNode {
  return element(name, Buffer.from(octets).toString("base64"), { encoding: "base64", ...attributes });
}

export function writeXml(root: XmlNode): Buffer {
  return Buffer.from(`<?xml version="1.0"?>${render(root)}`, "utf8");
}

function render({ name, attributes, content }: XmlNode): string {
  const pairs = Object.entries(attributes).filter(([, value]) => value !== undefined);
  const head = name + pairs.map(([key, value]) => ` ${key}="${escapeText(value ?? "")}"`).join("");
  const body = typeof content === "string" ? escapeText(content) : content.map(render).join("");
  return body === "" ? `<${head}/>` : `<${head}>${body}</${name}>`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Control characters and non-characters cannot be in XML 1.0 at all: they are dropped, lone surrogates replaced. */
export function escapeText(text: string): string {
  return text
    .replace(/[\p{Cc}\ufffe\uffff]/gu, "")
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
}
