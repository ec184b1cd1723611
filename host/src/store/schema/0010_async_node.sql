-- Which of several nodes has accepted a request and carries it out. Those of a program that knew of no other are anybody's.

ALTER TABLE async_request ADD COLUMN node {uuid};
