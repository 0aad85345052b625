-- The sample shop: 5,000 customers, 1,000 products, 50,000 orders, 100,000 items.
-- Runs once, when the source's volume is empty. The server makes the schema.
CREATE USER 'shardlift'@'%' IDENTIFIED BY 'sample-Source-1';
GRANT SELECT, SHOW VIEW, EVENT, LOCK TABLES ON shop.* TO 'shardlift'@'%';
GRANT REPLICATION SLAVE, REPLICATION CLIENT, PROCESS, XA_RECOVER_ADMIN ON *.* TO 'shardlift'@'%';

SET NAMES utf8mb4;
USE shop;

CREATE TABLE countries (
  code CHAR(2) NOT NULL PRIMARY KEY,
  name VARCHAR(64) NOT NULL,
  vat DECIMAL(5,2) NOT NULL
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

CREATE TABLE customers (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(128) NOT NULL,
  name VARCHAR(128) NOT NULL,
  country CHAR(2) NOT NULL,
  born DATE NULL,
  settings JSON NULL,
  created_at DATETIME(3) NOT NULL,
  KEY email (email)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

CREATE TABLE products (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  title VARCHAR(200) NOT NULL,
  price DECIMAL(12,2) NOT NULL,
  picture VARBINARY(255) NULL
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

CREATE TABLE orders (
  id BIGINT NOT NULL AUTO_INCREMENT,
  customer_id BIGINT NOT NULL,
  status ENUM('new','paid','sent','returned') NOT NULL,
  total DECIMAL(14,2) NOT NULL,
  placed_at TIMESTAMP NOT NULL,
  note TEXT NULL,
  PRIMARY KEY (id, customer_id),
  KEY customer (customer_id)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

CREATE TABLE order_items (
  order_id BIGINT NOT NULL,
  line SMALLINT NOT NULL,
  product_id INT UNSIGNED NOT NULL,
  quantity INT NOT NULL,
  price DOUBLE NOT NULL,
  PRIMARY KEY (order_id, line)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci;

INSERT INTO countries VALUES
  ('AT','Österreich',20), ('CN','中国',13), ('DE','Deutschland',19), ('ES','España',21), ('FR','France',20), ('PL','Polska',23);

SET SESSION cte_max_recursion_depth = 100000;

INSERT INTO customers (id, email, name, country, born, settings, created_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
SELECT i, CONCAT('customer', i, '@example.com'), CONCAT('Customer № ', i),
       ELT(1 + i % 6, 'AT','CN','DE','ES','FR','PL'),
       IF(i % 7 = 0, NULL, DATE_ADD('1950-01-01', INTERVAL i * 5 DAY)),
       IF(i % 3 = 0, NULL, JSON_OBJECT('news', i % 2 = 0, 'sizes', JSON_ARRAY(i % 10, 'M'))),
       TIMESTAMPADD(SECOND, i * 977, '2020-01-01 00:00:00.125')
FROM n;

INSERT INTO products (id, title, price, picture)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
SELECT i, CONCAT('Product ', i), 1 + i * 0.37, UNHEX(SHA2(i, 256)) FROM n;

INSERT INTO orders (id, customer_id, status, total, placed_at, note)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
SELECT i, 1 + (i * 7919) % 5000, 1 + i % 4, 10 + (i % 997) * 1.13,
       TIMESTAMPADD(SECOND, i * 601, '2024-01-01 00:00:00'), IF(i % 5 = 0, REPEAT('please ring twice ', 1 + i % 9), NULL)
FROM n;

INSERT INTO order_items (order_id, line, product_id, quantity, price)
SELECT o.id, l.line, 1 + (o.id * 31 + l.line) % 1000, 1 + o.id % 3, 1 + ((o.id + l.line) % 500) / 7
FROM orders o JOIN (SELECT 1 AS line UNION ALL SELECT 2) l;
