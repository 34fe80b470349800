// One call of an unmodified Octokit.js; prints what it gave or threw, and what it asked for.
//
//     node ask.mjs call     <base URL> <token> <method> <parameters>
//     node ask.mjs paginate <base URL> <token> <method> <parameters>
//
// A method is named as below `octokit.rest`, such as orgs.get; parameters are JSON.
import { Octokit, RequestError } from "octokit";

const [way, baseUrl, auth, method, parameters] = process.argv.slice(2);
const asked = [];

const noting = (url, options) => {
  asked.push({ url, headers: Object.keys(options.headers) });
  return fetch(url, options);
};

const octokit = new Octokit({ baseUrl, auth, request: { fetch: noting } });

const ways = {
  call: async (send, options) => {
    const { status, headers, data } = await send(options);
    return { status, headers, data };
  },
  paginate: async (send, options) => ({ data: await octokit.paginate(send, options) }),
};

async function outcome() {
  const [scope, name] = method.split(".");
  try {
    return await ways[way](octokit.rest[scope][name], JSON.parse(parameters));
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return { error: { status: error.status, message: error.message, data: error.response?.data } };
  }
}

console.log(JSON.stringify({ ...(await outcome()), asked }));
