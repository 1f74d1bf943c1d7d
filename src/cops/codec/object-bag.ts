/** The objects of one message, found by name. */
import { badFormat, missingObject } from "./errors.js";
import type { PlacedObject } from "./object.js";
import { OBJECTS, type ObjectName, type ObjectValue } from "./object-table.js";

type DataName = "signaled" | "named";

export class ObjectBag {
  readonly #byName = new Map<ObjectName, PlacedObject[]>();

  constructor(objects: readonly PlacedObject[]) {
    for (const object of objects) {
      const same = this.#byName.get(object.name);
      if (same === undefined) this.#byName.set(object.name, [object]);
      else same.push(object);
    }
  }

  count(name: ObjectName): number {
    return this.#byName.get(name)?.length ?? 0;
  }

  maybe<Name extends ObjectName>(name: Name): ObjectValue<Name> | undefined {
    return this.#byName.get(name)?.[0]?.value as ObjectValue<Name> | undefined;
  }

  /** @throws CopsDecodeError with error 7 (RFC 2748 §2.2.8) if it is not there. */
  need<Name extends ObjectName>(name: Name): ObjectValue<Name> {
    const value = this.maybe(name);
    if (value === undefined) throw missingObject(OBJECTS[name].title, OBJECTS[name].cNum);
    return value;
  }

  /** The IPv4 or the IPv6 form of the same object. @throws CopsDecodeError if both are there. */
  either<V4 extends ObjectName, V6 extends ObjectName>(v4: V4, v6: V6): ObjectValue<V4> | ObjectValue<V6> | undefined {
    if (this.count(v4) > 0 && this.count(v6) > 0) {
      throw badFormat(`${OBJECTS[v4].title} and ${OBJECTS[v6].title}`, { offset: 0, object: OBJECTS[v4].title });
    }
    return this.maybe(v4) ?? this.maybe(v6);
  }

  /** Contents of every ClientSI of this kind, in order. */
  data(name: DataName): readonly Buffer[] {
    return (this.#byName.get(name) ?? []).map((object) => (object.value as ObjectValue<DataName>).data);
  }
}
