/**
 * Octets -> element tree, strictly and within limits. Knows XML, not OSP's components.
 * A document type declaration is refused, so there are no entities to expand and nothing to fetch.
 */
import { SaxesParser } from "saxes";
import { type DecodeStatus, EMPTY_ENVELOPE, type Envelope, OspDecodeError } from "./decode-error.js";

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Character data directly inside, white space around it taken off: peers write `<Tag>\nvalue</Tag>`. */
  readonly text: string;
}

export interface XmlLimits {
  /** Octets of the whole document. */
  readonly octets: number;
  readonly depth: number;
  readonly elements: number;
}

/** A full report of the toolkit takes 18 kB; this leaves room without giving a hostile peer any. */
export const DEFAULT_XML_LIMITS: XmlLimits = { octets: 65_536, depth: 32, elements: 1000 };

interface OpenElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: OpenElement[];
  text: string;
}

const ID_LENGTH = 64;

/** The frame of a message: ids and names of its components, as far as `root` goes. */
export function envelopeOf(root: Pick<XmlElement, "name" | "attributes" | "children"> | undefined): Envelope {
  if (root === undefined || root.name !== "Message") return EMPTY_ENVELOPE;
  const id = (text: string | undefined): string => (text ?? "0").slice(0, ID_LENGTH);
  return {
    messageId: id(root.attributes.messageId),
    components: root.children.map(({ name, attributes }) => ({ name, componentId: id(attributes.componentId) })),
  };
}

/** @throws OspDecodeError 410 for octets that are not UTF-8, 411 for what is not well-formed or past a limit. */
export function readXml(bytes: Uint8Array, limits: XmlLimits = DEFAULT_XML_LIMITS): XmlElement {
  if (bytes.length > limits.octets) {
    const detail = { offset: limits.octets, object: "document", need: limits.octets, have: bytes.length };
    throw new OspDecodeError(411, `the document has more than ${limits.octets} octets`, detail);
  }
  return new TreeBuilder(limits).read(decodeUtf8(bytes));
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new OspDecodeError(410, "the document is not UTF-8", { offset: 0, object: "document" });
  }
}

class TreeBuilder {
  readonly #limits: XmlLimits;
  readonly #parser = new SaxesParser({ xmlns: false, fragment: false, position: true });
  readonly #open: OpenElement[] = [];
  #root: OpenElement | undefined;
  #count = 0;

  constructor(limits: XmlLimits) {
    this.#limits = limits;
    const parser = this.#parser;
    parser.on("error", (error) => this.#fail(411, error.message));
    parser.on("doctype", () => this.#fail(411, "a document type declaration is not accepted"));
    parser.on("xmldecl", ({ encoding }) => {
      const name = encoding?.toLowerCase() ?? "utf-8";
      if (name !== "utf-8" && name !== "us-ascii") this.#fail(410, "the document declares another encoding than UTF-8");
    });
    parser.on("opentag", ({ name, attributes }) => this.#opened(name, attributes));
    parser.on("closetag", () => this.#closed());
    const text = (data: string): void => {
      const element = this.#open.at(-1);
      if (element !== undefined) element.text += data;
    };
    parser.on("text", text);
    parser.on("cdata", text);
  }

  read(document: string): XmlElement {
    this.#parser.write(document).close();
    return this.#root ?? this.#fail(411, "the document has no element");
  }

  #opened(name: string, attributes: Readonly<Record<string, string>>): void {
    this.#count += 1;
    if (this.#count > this.#limits.elements) this.#fail(411, `more than ${this.#limits.elements} elements`);
    if (this.#open.length >= this.#limits.depth) this.#fail(411, `elements nested deeper than ${this.#limits.depth}`);
    const element: OpenElement = { name, attributes: { ...attributes }, children: [], text: "" };
    this.#open.at(-1)?.children.push(element);
    this.#root ??= element;
    this.#open.push(element);
  }

  #closed(): void {
    const element = this.#open.pop();
    if (element !== undefined) element.text = element.text.trim();
  }

  #fail(status: DecodeStatus, message: string): never {
    const detail = { offset: this.#parser.position, object: this.#open.at(-1)?.name ?? "document" };
    throw new OspDecodeError(status, message, detail, envelopeOf(this.#root));
  }
}
