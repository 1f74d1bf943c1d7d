/** Finds the security association of a message: by neighbour and interface, then neighbour, then interface. */
import { ProtocolError } from "../../model/errors.js";
import type { IpAddress } from "../../model/ip.js";
import type { SecurityAssociation } from "./keys.js";

export class KeyTable {
  readonly #byPlace = new Map<string, SecurityAssociation>();
  readonly #byInterface = new Map<string, SecurityAssociation[]>();

  /** @throws ProtocolError if one names no place, two name the same one, or a key identifier comes twice */
  constructor(associations: readonly SecurityAssociation[]) {
    for (const association of associations) this.#add(association);
  }

  /** Whether something that arrives or leaves there must be signed, whoever the neighbour is. */
  isSecured(name: string): boolean {
    return this.#byInterface.has(name);
  }

  of(name: string | undefined, neighbour: IpAddress): SecurityAssociation | undefined {
    const both = name === undefined ? undefined : this.#byPlace.get(placeOf(name, neighbour));
    return both ?? this.#byPlace.get(placeOf(undefined, neighbour)) ?? this.#ofInterface(name);
  }

  /** For a message that the next node takes for its Router Alert: its address need not be known. */
  ofNextNode(name: string | undefined): SecurityAssociation | undefined {
    const wide = this.#ofInterface(name);
    if (wide !== undefined || name === undefined) return wide;
    const there = this.#byInterface.get(name) ?? [];
    return there.length === 1 ? there[0] : undefined;
  }

  #ofInterface(name: string | undefined): SecurityAssociation | undefined {
    return name === undefined ? undefined : this.#byPlace.get(placeOf(name, undefined));
  }

  #add(association: SecurityAssociation): void {
    const { interface: name, neighbour, keys } = association;
    const place = placeOf(name, neighbour);
    const text = name ?? neighbour;
    if (text === undefined) {
      throw new ProtocolError("RSVP_KEY_PLACE", "an RSVP key is for an interface or a neighbour; this one names none");
    }
    if (this.#byPlace.has(place)) {
      throw new ProtocolError("RSVP_KEY_PLACE", `two lists of RSVP keys for ${text}`, { remedy: "put them into one" });
    }
    if (new Set(keys.map(({ id }) => id)).size < keys.length) {
      throw new ProtocolError("RSVP_KEY_ID", `an RSVP key identifier is used twice for ${text}`);
    }
    this.#byPlace.set(place, association);
    if (name !== undefined) this.#byInterface.set(name, [...(this.#byInterface.get(name) ?? []), association]);
  }
}

const placeOf = (name: string | undefined, neighbour: IpAddress | undefined): string =>
  `${name ?? "*"} ${neighbour ?? "*"}`;
