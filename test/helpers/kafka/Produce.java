import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends the records that arrive framed on standard input (see foreign-producer.ts) with Apache Kafka's own client,
 * and prints "partition offset" for each once the broker has acknowledged it.
 * Arguments: bootstrap servers, compression type.
 */
public final class Produce {
  private Produce() {}

  public static void main(String[] arguments) throws Exception {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", arguments[0]);
    properties.put("compression.type", arguments[1]);
    properties.put("acks", "all");
    properties.put("linger.ms", "5");
    properties.put("max.request.size", "16777216");
    properties.put("delivery.timeout.ms", "60000");
    properties.put("request.timeout.ms", "20000");
    DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
    int count = in.readInt();
    List<Future<RecordMetadata>> sent = new ArrayList<>(count);
    StringBuilder acknowledged = new StringBuilder();
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < count; i++) {
        sent.add(producer.send(read(in)));
      }
      producer.flush();
      for (Future<RecordMetadata> future : sent) {
        RecordMetadata metadata = future.get();
        acknowledged.append(metadata.partition()).append(' ').append(metadata.offset()).append('\n');
      }
    }
    System.out.print(acknowledged);
  }

  private static ProducerRecord<byte[], byte[]> read(DataInputStream in) throws Exception {
    String topic = new String(bytes(in), "UTF-8");
    int partition = in.readInt();
    long timestamp = in.readLong();
    byte[] key = bytes(in);
    byte[] value = bytes(in);
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(topic, partition < 0 ? null : partition, timestamp < 0 ? null : timestamp, key, value);
    int headers = in.readInt();
    for (int i = 0; i < headers; i++) {
      record.headers().add(new String(bytes(in), "UTF-8"), bytes(in));
    }
    return record;
  }

  private static byte[] bytes(DataInputStream in) throws Exception {
    int length = in.readInt();
    if (length < 0) return null;
    byte[] result = new byte[length];
    in.readFully(result);
    return result;
  }
}
