/** Addresses of record, `user@domain`. */

/** What follows the last `@`; the whole text if there is none. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf("@") + 1);

/**
 * Without a scheme, and with the domain in lower case: equal for addresses that are the same. RFC 3261 §19.1.4: users that differ
 * in case are different users, domains are not.
 */
export function normalAor(text: string): string {
  const plain = text.replace(/^sips?:/i, "");
  const at = plain.lastIndexOf("@") + 1;
  return plain.slice(0, at) + plain.slice(at).toLowerCase();
}
