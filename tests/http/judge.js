// Reads messages with Node's parser. Input and output are those of judge.py.
'use strict';
const http = require('http');
const net = require('net');

const OPTIONS = { maxHeaderSize: 1 << 20, insecureHTTPParser: false, keepAliveTimeout: 60000 };

// What one connection carried, judged by http.Server.
function requests(data) {
  return new Promise((resolve) => {
    const messages = [];
    let error = null, open = 0;
    const read = (request, response) => {
      const parts = [];
      open += 1;
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        open -= 1;
        const trailers = request.rawTrailers.length / 2;
        messages.push([`${request.method} ${request.url}`, Buffer.concat(parts).toString('hex'), trailers]);
        response.end();
      });
    };
    const server = http.createServer(OPTIONS, read);
    server.on('checkContinue', read);
    server.on('clientError', (failure, socket) => {
      error = error || failure.code || failure.message;
      socket.destroy();
    });
    server.listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => {
        if (open > 0 && !error) error = 'incomplete';
        server.close(() => resolve({ messages, error }));
        server.closeAllConnections();
      });
      socket.resume();
      socket.end(data);
    });
  });
}

// A server that answers with these bytes and the end, asked by http.request.
function response(data, method) {
  return new Promise((resolve) => {
    const messages = [];
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(data));
    });
    const done = (error) => {
      server.close();
      resolve({ messages, error });
    };
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      const request = http.request({ ...OPTIONS, host: '127.0.0.1', port, method, agent: false });
      request.on('information', (info) => messages.push([String(info.statusCode), '', 0]));
      request.on('error', (failure) => done(failure.code || failure.message));
      request.on('response', (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('error', () => {});
        answer.on('close', () => {
          if (!answer.complete) return done('incomplete');
          const trailers = answer.rawTrailers.length / 2;
          messages.push([String(answer.statusCode), Buffer.concat(parts).toString('hex'), trailers]);
          done(null);
        });
      });
      request.end();
    });
  });
}

async function main() {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  let input = Buffer.concat(parts);
  while (input.length > 0) {
    const length = input.readUInt32BE(0);
    const record = input.subarray(4, 4 + length);
    input = input.subarray(4 + length);
    const end = record.indexOf(10);
    const methods = record.subarray(0, end).toString();
    const data = record.subarray(end + 1);
    const known = (start) => http.METHODS.includes(start);
    let judged;
    if (methods === '') judged = await requests(data);
    else if (!methods.split(',').every(known)) judged = { messages: [], error: 'HPE_INVALID_METHOD' };
    else judged = await response(data, methods);
    console.log(JSON.stringify(judged));
  }
}

main();
