// Downloads an address with fetch, and with http and zlib; prints the SHA-256 of what each gave.
import { createHash } from "node:crypto";
import http from "node:http";
import { pipeline } from "node:stream/promises";
import { createGunzip, gunzipSync } from "node:zlib";

const url = process.argv[2];
const print = (body) => console.log(createHash("sha256").update(body).digest("hex"));

const fetched = await fetch(url, { headers: { "Accept-Encoding": "gzip" } });
if (fetched.headers.get("content-encoding") !== "gzip") throw new Error("it was not compressed");
print(Buffer.from(await fetched.arrayBuffer()));

const get = () =>
  new Promise((resolve, reject) =>
    http.get(url, { headers: { "Accept-Encoding": "gzip" } }, resolve).on("error", reject),
  );

const hash = createHash("sha256");
await pipeline(await get(), createGunzip(), hash);
console.log(hash.digest("hex"));

const parts = [];
for await (const part of await get()) parts.push(part);
print(gunzipSync(Buffer.concat(parts)));
