-- The sample shop's tables in DDM: countries on every shard, products unsharded,
-- the others sharded; orders by a column that is not its whole primary key.
CREATE TABLE countries (
  code CHAR(2) NOT NULL PRIMARY KEY,
  name VARCHAR(64) NOT NULL,
  vat DECIMAL(5,2) NOT NULL
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci BROADCAST;

CREATE TABLE customers (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(128) NOT NULL,
  name VARCHAR(128) NOT NULL,
  country CHAR(2) NOT NULL,
  born DATE NULL,
  settings JSON NULL,
  created_at DATETIME(3) NOT NULL,
  KEY email (email)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci DBPARTITION BY HASH(id);

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
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci DBPARTITION BY HASH(customer_id);

CREATE TABLE order_items (
  order_id BIGINT NOT NULL,
  line SMALLINT NOT NULL,
  product_id INT UNSIGNED NOT NULL,
  quantity INT NOT NULL,
  price DOUBLE NOT NULL,
  PRIMARY KEY (order_id, line)
) DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_0900_ai_ci DBPARTITION BY HASH(order_id);
