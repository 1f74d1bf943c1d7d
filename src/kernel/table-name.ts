import { KernelError } from "../model/errors.js";

/** For names that go into nft's language and into what signs our objects. @throws KernelError KERNEL_TABLE_NAME. */
export function checkTableName(table: string): void {
  if (/^[A-Za-z][A-Za-z0-9_]{0,31}$/.test(table)) return;
  const remedy = "use a letter, then up to 31 letters, digits and underscores";
  throw new KernelError("KERNEL_TABLE_NAME", `not a table name: ${table}`, { operation: "open" }, { remedy });
}
