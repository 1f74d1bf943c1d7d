/** Which of many prefixes an address lies in: one look for each length that occurs. */
import { addressToBytes, familyOf, type IpAddress, parsePrefix } from "../../model/ip.js";

export class PrefixTable<T> {
  readonly #byLength = { 4: new Map<number, Map<string, T>>(), 6: new Map<number, Map<string, T>>() };

  /** @param prefix - such as `10.1.0.0/24`; a text that is no prefix is left out */
  set(prefix: string, value: T): void {
    const parsed = parsePrefix(prefix);
    const family = parsed === undefined ? undefined : familyOf(parsed.address);
    if (parsed === undefined || family === undefined) return;
    const lengths = this.#byLength[family];
    const values = lengths.get(parsed.length) ?? new Map<string, T>();
    values.set(networkOf(addressToBytes(parsed.address), parsed.length), value);
    lengths.set(parsed.length, values);
  }

  /** The value of the longest prefix that holds `address`. */
  get(address: IpAddress): T | undefined {
    const family = familyOf(address);
    if (family === undefined) return undefined;
    const octets = addressToBytes(address);
    let found: { readonly length: number; readonly value: T } | undefined;
    for (const [length, values] of this.#byLength[family]) {
      if (found !== undefined && found.length >= length) continue;
      const value = values.get(networkOf(octets, length));
      if (value !== undefined) found = { length, value };
    }
    return found?.value;
  }
}

function networkOf(octets: Buffer, length: number): string {
  const masked = octets.map((octet, index) => octet & (0xff << (8 - Math.min(8, Math.max(0, length - index * 8)))));
  return Buffer.from(masked).toString("latin1");
}
